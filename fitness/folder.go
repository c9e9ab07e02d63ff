package fitness

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"evosr/imaging"
)

// EvaluateFolder is Evaluate over every picture of a folder, one in memory at a
// time. report, where not nil, is called before each picture with its name.
func EvaluateFolder(ctx context.Context, u Upscaler, dir string, scale int, l imaging.Limits, report func(name string, done, total int)) (SetScore, error) {
	out := SetScore{Scale: scale}
	paths, err := imaging.List(dir)
	if err != nil {
		return out, err
	}
	var s sums
	for i, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if report != nil {
			report(name, i, len(paths))
		}
		l.Grey = storedGrey(path)
		p, err := imaging.Open(path, l)
		if err != nil {
			return out, err
		}
		if p.Y.W < scale || p.Y.H < scale {
			return out, fmt.Errorf("fitness: %s: %dx%d pixels, want at least %d a side", path, p.Y.W, p.Y.H, scale)
		}
		if c, is := u.(Colored); is && c.Colors() == 3 {
			if err := s.addRGB(ctx, c, name, p, scale); err != nil {
				return out, err
			}
			continue
		}
		if err := s.add(ctx, u, imaging.NewPair(name, p.Luma(), scale), scale); err != nil {
			return out, err
		}
	}
	return s.mean(scale), nil
}

// storedGrey reports whether path is the benchmark picture whose original is an
// 8-bit grey file, so that its values are luma already: Set14's bridge (its
// "man", as grey, is an RGB file in the original set). WebP has no grey type,
// and the papers do not send the picture through the RGB formula: doing so
// would move the set's mean by 0.09 dB. It counts only where all three channels
// are equal, see imaging.Limits.
func storedGrey(path string) bool {
	return strings.EqualFold(filepath.Base(path), "bridge.webp")
}
