package imaging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Picture is a picture in studio YCbCr. Its planes have equal sizes. Cb and Cr
// are nil for a grey picture, whose Y is what the file stores, luma already.
// Alpha, in [0, 1] and not multiplied in, is nil when the picture is opaque.
type Picture struct {
	Y, Cb, Cr *Plane
	Alpha     *Plane
	Depth     int // bits a channel of what it was read from, 8 or 16; 0 means 8
}

// Luma returns Y rounded to 8 bits, as the papers score it.
func (p *Picture) Luma() *Plane { return p.Y.Round() }

// check returns an error unless p can be written: a Y, both chroma planes or
// none, equal sizes.
func (p *Picture) check() error {
	if p.Y == nil || (p.Cb == nil) != (p.Cr == nil) {
		return errors.New("imaging: picture: planes missing, want Y, or Y, Cb and Cr")
	}
	for _, q := range []*Plane{p.Y, p.Cb, p.Cr, p.Alpha} {
		if q != nil && (q.W != p.Y.W || q.H != p.Y.H || len(q.Pix) != q.W*q.H) {
			return fmt.Errorf("imaging: picture: a plane of %dx%d beside a Y of %dx%d, want equal sizes", q.W, q.H, p.Y.W, p.Y.H)
		}
	}
	return nil
}

// Limits bounds what a file may ask for and says what it cannot say itself.
type Limits struct {
	MaxPixels int // width times height; 0 means 64 megapixels

	// Grey takes a picture whose channels are equal for a grey one, whose
	// values are luma already. Files of grey type need no telling; a grey
	// picture that was put into a format without such a type does.
	Grey bool
}

// ErrTooLarge is in the error of a file that is refused for Limits.MaxPixels.
var ErrTooLarge = errors.New("too many pixels")

func (l Limits) maxPixels() int {
	if l.MaxPixels > 0 {
		return l.MaxPixels
	}
	return 64_000_000
}

// Open reads a PNG, JPEG, WebP, GIF, BMP or TIFF file. Its errors name the file.
func Open(path string, l Limits) (*Picture, error) {
	r, err := OpenRaster(path, l)
	if err != nil {
		return nil, err
	}
	return r.Picture(), nil
}

// List returns the paths of the picture files in a folder, sorted by name. A
// picture file is one whose name ends in one of Extensions in any case;
// hidden files and folders inside are passed over. None is an error.
func List(dir string) ([]string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("imaging: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("imaging: %s: is a file, want a folder of pictures", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("imaging: %w", err)
	}
	var paths []string
	for _, e := range entries {
		name := e.Name()
		ext := strings.ToLower(filepath.Ext(name))
		if strings.HasPrefix(name, ".") || !slices.Contains(Extensions(), ext) {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			continue // a dangling link stays in the list, so that Open can name it
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("imaging: %w", err)
		}
		paths = append(paths, filepath.Join(dir, name))
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("imaging: %s: no pictures in this folder, want files that end in %s", dir, strings.Join(Extensions(), ", "))
	}
	return paths, nil
}
