package rundir

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"evosr/configs"
	"evosr/imaging"
	"evosr/internal/relay"
)

// Stream gives an independent seed for each use that a run makes of chance.
func Stream(seed uint64, use string) uint64 {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("evosr "+use+" "), seed))
	return binary.LittleEndian.Uint64(sum[:8])
}

// photo is a decoded picture, rounded to 8 bits: a quarter of the memory of a
// plane, for folders hold thousands.
type photo struct {
	name  string
	w, h  int
	codes []uint8 // luma, by rows
}

func newPhoto(name string, p *imaging.Plane) photo {
	ph := photo{name, p.W, p.H, make([]uint8, len(p.Pix))}
	for i, v := range p.Pix {
		ph.codes[i] = imaging.Code(v)
	}
	return ph
}

// plane is the photo as it was decoded.
func (ph *photo) plane() *imaging.Plane {
	p := imaging.NewPlane(ph.w, ph.h)
	for i, v := range ph.codes {
		p.Pix[i] = float32(v) / 255
	}
	return p
}

// hash is of the content alone.
func (ph *photo) hash() [sha256.Size]byte {
	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(ph.w)), uint32(ph.h)))
	h.Write(ph.codes)
	return [sha256.Size]byte(h.Sum(nil))
}

// photos decodes every picture of a folder, in the order of their names. Any
// file that cannot be read is an error that names it: a silent gap would make
// another experiment.
func photos(ctx context.Context, key, dir string, limit imaging.Limits, tell func(done, total int)) ([]photo, error) {
	paths, err := listed(key, dir)
	if err != nil {
		return nil, err
	}
	list := make([]photo, len(paths))
	errs := make([]error, len(paths))
	err = each(ctx, len(paths), func(i int) {
		p, err := imaging.Open(paths[i], limit)
		if err != nil {
			errs[i] = err
			return
		}
		list[i] = newPhoto(filepath.Base(paths[i]), p.Y)
	}, tell)
	if err != nil {
		return nil, err
	}
	var bad []error
	more := 0
	for _, err := range errs {
		if err != nil && len(bad) < 5 {
			bad = append(bad, err)
		} else if err != nil {
			more++
		}
	}
	if more > 0 {
		bad = append(bad, fmt.Errorf("and %d more files", more))
	}
	if len(bad) > 0 {
		return nil, inKey(key, errors.Join(bad...))
	}
	return list, nil
}

// inKey is a fault of the folder that a key of the config names.
func inKey(key string, err error) error {
	return fmt.Errorf("%w: %w", ErrData, &configs.KeyError{Key: key, Err: err})
}

// listed gives the picture files of the folder that a key names, at least one.
func listed(key, dir string) ([]string, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		if err == nil {
			err = errors.New("not a folder")
		}
		return nil, inKey(key, fmt.Errorf("folder %s: %v", dir, plainPath(err)))
	}
	paths, err := imaging.List(dir)
	if err != nil {
		return nil, inKey(key, err)
	}
	return paths, nil
}

func plainPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// each calls f for 0..n-1 from all cores and tell after every call, from one
// goroutine at a time. It ends early when ctx does, and panics when they do.
func each(ctx context.Context, n int, f func(int), tell func(done, total int)) error {
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	var lost relay.Catcher
	one := func(i int) {
		defer lost.Catch()
		f(i)
		mu.Lock()
		defer mu.Unlock()
		done++
		tell(done, n)
	}
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := range next {
				one(i)
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
	lost.Raise()
	return ctx.Err()
}

// Pictures are those that a run trains and validates with.
type Pictures struct {
	Validation     []imaging.Pair // crops; nil while procedural ones are not drawn
	ValidationHash string         // of their content, "" while there are none
	TrainHash      string         // of the training pictures' content, "" while they are not drawn

	train []photo
}

// CheckFolders lists the folders of pictures that cfg names, and reads none of
// them.
func CheckFolders(cfg *configs.Config) error {
	for key, dir := range map[string]string{"data.train": cfg.Data.Train, "data.validation": cfg.Data.Validation} {
		if dir == configs.Procedural {
			continue
		}
		if _, err := listed(key, dir); err != nil {
			return err
		}
	}
	return nil
}

// LoadPictures decodes and checks what comes from the folders that cfg names.
// What is procedural stays for DrawValidation and DrawTraining. tell is called
// from one goroutine at a time. What is wrong with a picture is an ErrData.
func LoadPictures(ctx context.Context, cfg *configs.Config, tell func(what string, done, total int)) (*Pictures, error) {
	p := &Pictures{}
	limit := imaging.Limits{MaxPixels: cfg.Data.MaxMegapixels * 1e6}
	var train, val []photo
	var err error
	if dir := cfg.Data.Train; dir != configs.Procedural {
		if train, err = photos(ctx, "data.train", dir, limit, func(d, t int) { tell("reading training pictures", d, t) }); err != nil {
			return nil, err
		}
		if err := large("data.train", dir, train, cfg.Train.Patch*cfg.Space.Scale, "a training patch"); err != nil {
			return nil, err
		}
	}
	if dir := cfg.Data.Validation; dir != configs.Procedural {
		if val, err = photos(ctx, "data.validation", dir, limit, func(d, t int) { tell("reading validation pictures", d, t) }); err != nil {
			return nil, err
		}
		if err := large("data.validation", dir, val, cfg.Data.ValidationSize, "a validation crop"); err != nil {
			return nil, err
		}
	}
	if err := disjoint(train, val); err != nil {
		return nil, err
	}
	if train != nil {
		p.setTraining(train)
	}
	if val != nil {
		p.setValidation(crops(cfg, val))
	}
	return p, nil
}

func (p *Pictures) setTraining(list []photo) { p.train, p.TrainHash = list, sum(list) }

func (p *Pictures) setValidation(pairs []imaging.Pair) {
	p.Validation, p.ValidationHash = pairs, sumPairs(pairs)
}

// DrawTraining draws procedural training pictures.
func (p *Pictures) DrawTraining(ctx context.Context, cfg *configs.Config, tell func(done, total int)) error {
	list, err := draw(ctx, Stream(cfg.Seed, "training pictures"), cfg.Data.Pictures, cfg.Data.Size, tell)
	if err == nil {
		p.setTraining(list)
	}
	return err
}

// DrawValidation draws procedural pictures of another series and cuts the crops.
func (p *Pictures) DrawValidation(ctx context.Context, cfg *configs.Config, tell func(done, total int)) error {
	list, err := draw(ctx, Stream(cfg.Seed, "validation pictures"), cfg.Data.ValidationCrops, cfg.Data.Size, tell)
	if err == nil {
		p.setValidation(crops(cfg, list))
	}
	return err
}

// Dataset makes the training pictures, which are there, into a set of patches, and
// lets go of them.
func (p *Pictures) Dataset(ctx context.Context, cfg *configs.Config, tell func(done, total int)) (*imaging.Dataset, error) {
	set, err := imaging.NewDataset([]*imaging.Plane{p.train[0].plane()}, cfg.Space.Scale)
	if err != nil {
		return nil, err
	}
	tell(0, len(p.train))
	for i := range p.train {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i > 0 {
			if err := set.Add(p.train[i].plane()); err != nil {
				return nil, err
			}
		}
		p.train[i].codes = nil // the dataset has its own copy
		tell(i+1, len(p.train))
	}
	p.train = nil
	return set, set.Fits(cfg.Train.Patch)
}

// large refuses pictures that cannot hold what is cut from them.
func large(key, dir string, list []photo, side int, what string) error {
	var bad []error
	for _, ph := range list {
		if (ph.w < side || ph.h < side) && len(bad) < 5 {
			bad = append(bad, fmt.Errorf("%s: %dx%d pixels, want at least %dx%d for %s", filepath.Join(dir, ph.name), ph.w, ph.h, side, side, what))
		}
	}
	if len(bad) > 0 {
		return inKey(key, errors.Join(bad...))
	}
	return nil
}

// disjoint refuses a validation picture that is trained on: its score would
// say nothing.
func disjoint(train, val []photo) error {
	if len(train) == 0 || len(val) == 0 {
		return nil
	}
	names := map[[sha256.Size]byte]string{}
	for _, ph := range train {
		names[ph.hash()] = ph.name
	}
	for _, ph := range val {
		if same, ok := names[ph.hash()]; ok {
			return inKey("data.validation", fmt.Errorf("validation picture %s is training picture %s, want pictures that are not trained on", ph.name, same))
		}
	}
	return nil
}

func draw(ctx context.Context, seed uint64, n, size int, tell func(done, total int)) ([]photo, error) {
	list := make([]photo, n)
	err := each(ctx, n, func(i int) {
		list[i] = newPhoto(fmt.Sprintf("procedural%d", i+1), imaging.Procedural(seed, i, size))
	}, tell)
	return list, err
}

// candidates is how many places a validation crop is chosen from.
const candidates = 8

// crops cuts the validation crops: in turn from every picture, each where there
// is most detail among a few random places, for empty sky ranks no network.
func crops(cfg *configs.Config, list []photo) []imaging.Pair {
	rng := rand.New(rand.NewPCG(Stream(cfg.Seed, "validation crops"), 0))
	size := cfg.Data.ValidationSize
	pairs := make([]imaging.Pair, cfg.Data.ValidationCrops)
	for i := range pairs {
		ph := list[i%len(list)]
		if n := len(pairs); n < len(list) {
			ph = list[i*len(list)/n] // spread over the folder
		}
		luma := ph.plane()
		var best *imaging.Plane
		x, y, most := 0, 0, math.Inf(-1)
		for range candidates {
			cx, cy := rng.IntN(luma.W-size+1), rng.IntN(luma.H-size+1)
			c := luma.Crop(cx, cy, size, size)
			if d := detail(c); d > most {
				best, x, y, most = c, cx, cy, d
			}
		}
		pairs[i] = imaging.NewPair(fmt.Sprintf("%s@%d,%d", ph.name, x, y), best, cfg.Space.Scale)
	}
	return pairs
}

// detail is the mean absolute difference of horizontal and vertical neighbours.
func detail(p *imaging.Plane) float64 {
	s := 0.0
	for y := range p.H {
		row := p.Row(y)
		for x := range p.W {
			if x > 0 {
				s += math.Abs(float64(row[x]) - float64(row[x-1]))
			}
			if y > 0 {
				s += math.Abs(float64(row[x]) - float64(p.Row(y - 1)[x]))
			}
		}
	}
	return s / float64(p.W*p.H)
}

// sum is the content hash of pictures in their order, 32 hexadecimal digits.
func sum(list []photo) string {
	h := sha256.New()
	for i := range list {
		one := list[i].hash()
		h.Write(one[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func sumPairs(pairs []imaging.Pair) string {
	h := sha256.New()
	for _, p := range pairs {
		sumPlane(h, p.HR)
		sumPlane(h, p.LR)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func sumPlane(h hash.Hash, p *imaging.Plane) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(p.W))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.H))
	for _, v := range p.Pix {
		b = append(b, imaging.Code(v))
	}
	h.Write(b)
}
