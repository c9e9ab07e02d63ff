package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"evosr/imaging"
	"evosr/rundir"
	"evosr/sparse"
	"evosr/upscale"
)

// Bounds of a picture that is tried.
const (
	maxUpload = 64 << 20
	maxTried  = 32_000_000 // pixels of the result
	maxModel  = 256 << 20
)

// bicubic is the name that stands for interpolation.
const bicubic = "bicubic"

// try enlarges the picture in a request's body by a winner, or by bicubic
// interpolation to the same size, and answers with a PNG and the milliseconds that
// it took. One picture is enlarged at a time, on as many threads as the winner was
// measured with.
func (s *Server) try(w http.ResponseWriter, r *http.Request, f *followed) {
	select {
	case s.trying <- struct{}{}:
		defer func() { <-s.trying }()
	case <-r.Context().Done():
		return
	}
	d, err := rundir.Open(f.Dir())
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	defer d.Close()
	scale := d.Config().Space.Scale
	name := r.URL.Query().Get("winner")
	var u *upscale.Upscaler
	if name == bicubic {
		u = upscale.Bicubic(scale)
	} else if u, err = open(d, name); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	defer u.Close()
	p, err := imaging.Decode(http.MaxBytesReader(w, r.Body, maxUpload), imaging.Limits{MaxPixels: maxTried / (scale * scale)})
	if err != nil {
		code := http.StatusUnsupportedMediaType
		if _, long := errors.AsType[*http.MaxBytesError](err); long || errors.Is(err, imaging.ErrTooLarge) {
			code = http.StatusRequestEntityTooLarge
		}
		refuse(w, code, err.Error())
		return
	}
	big, ms, err := timed(r.Context(), u, p)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	var b bytes.Buffer
	if err := imaging.EncodePNG(&b, big); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) != nil {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("X-Evosr-Milliseconds", strconv.FormatFloat(ms, 'g', 4, 64))
	h.Set("X-Evosr-Size", fmt.Sprintf("%dx%d", big.Y.W, big.Y.H))
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}

// again bounds the repeats of a short measurement: their lowest counts.
const (
	againTime = 500 * time.Millisecond
	againMost = 5
)

// timed enlarges p with its colours and says how long that took at best, ms.
func timed(ctx context.Context, u *upscale.Upscaler, p *imaging.Picture) (*imaging.Picture, float64, error) {
	best, began := time.Duration(0), time.Now()
	for n := 0; ; n++ {
		start := time.Now()
		big, err := u.Picture(p)
		if err != nil {
			return nil, 0, err
		}
		if took := time.Since(start); n == 0 || took < best {
			best = took
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		if n+1 == againMost || time.Since(began) > againTime {
			return big, float64(best) / float64(time.Millisecond), nil
		}
	}
}

// open reads the program of a winner, whose name only picks one of the run's cards,
// and holds it against the card.
func open(d *rundir.Dir, name string) (*upscale.Upscaler, error) {
	cards, err := d.Winners()
	if err != nil {
		return nil, err
	}
	card, err := rundir.Pick(cards, name)
	if err != nil {
		return nil, err
	}
	path := d.File(card.ID, rundir.FileProgram)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("serve: winner %s: its program is not there", card.ID)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxModel))
	if err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != card.Files[rundir.FileProgram] {
		return nil, fmt.Errorf("serve: winner %s: its program is not the one that its card tells of", card.ID)
	}
	p, err := sparse.DecodeFor(bytes.NewReader(text), sparse.Options{Threads: min(max(card.Latency.Threads, 1), 64)})
	if err != nil {
		return nil, fmt.Errorf("serve: winner %s: %w", card.ID, err)
	}
	return upscale.New(p), nil
}
