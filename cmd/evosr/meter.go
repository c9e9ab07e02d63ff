package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// beat is one moment of progress.
type beat struct {
	stage, message string
	done, total    float64 // total is 0 where the end is unknown
	rate           float64 // per second
	unit           string  // of rate
	extra          string  // such as the hypervolume
	left           time.Duration
}

// every is how often progress is told where there is no terminal.
const every = 5 * time.Second

// meter shows progress on standard error: bars on a terminal, otherwise a
// plain line every few seconds. It may be used from many goroutines.
type meter struct {
	a *app

	mu    sync.Mutex
	bars  *mpb.Progress // nil without a terminal
	bar   *mpb.Bar
	shown *atomic.Pointer[beat] // what bar shows; read while it is drawn
	last  beat
	pace  pace
	told  time.Time
	began time.Time
}

func (a *app) meter() *meter {
	m := &meter{a: a, began: time.Now(), told: time.Now()}
	if a.terminal {
		m.bars = mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(28), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return m
}

func (m *meter) set(b beat) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if left := m.pace.left(b, time.Now()); b.left == 0 {
		b.left = left
	}
	fresh := b.stage != m.last.stage
	if m.bars == nil {
		if now := time.Now(); fresh && m.last.stage != "" || now.Sub(m.told) >= every {
			if fresh && m.last.stage != "" && m.last.done >= m.last.total {
				m.a.say("%s", m.last.line())
			}
			m.a.say("%s", b.line())
			m.told = now
		}
		m.last = b
		return
	}
	if fresh && m.bar != nil {
		m.finish()
	}
	m.last = b
	if m.bar == nil {
		m.bar, m.shown = m.newBar(b.stage)
	}
	m.shown.Store(&b)
	m.bar.SetTotal(steps(b.total), false)
	m.bar.SetCurrent(steps(b.done))
}

// warn prints a line of its own, above the bars.
func (m *meter) warn(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	line := fmt.Sprintf("%s %s\n", m.a.paint("33;1", "warning:"), text)
	if m.bars == nil {
		fmt.Fprint(m.a.err, line)
		return
	}
	_, _ = m.bars.Write([]byte(line)) // it fails only once the bars are done, when nothing warns
}

// steps scales shares of a stage, which may be fractions, to whole numbers.
func steps(x float64) int64 { return int64(x * 1000) }

func (m *meter) newBar(stage string) (*mpb.Bar, *atomic.Pointer[beat]) {
	name := m.a.paint("1", fmt.Sprintf("%-9s", stage))
	shown := new(atomic.Pointer[beat])
	shown.Store(&beat{})
	bar := m.bars.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.PrependDecorators(decor.Name(name+" ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + shown.Load().tail() })))
	return bar, shown
}

// finish freezes the bar. The lock is held.
func (m *meter) finish() {
	if m.last.total > 0 && m.last.done >= m.last.total {
		m.bar.SetTotal(-1, true)
	} else {
		m.bar.Abort(false)
	}
	m.bar = nil
}

// close ends the display; it may be called twice.
func (m *meter) close() {
	m.mu.Lock()
	if m.bars == nil {
		if m.last.total > 0 && m.last.done >= m.last.total && time.Since(m.began) > every {
			m.a.say("%s", m.last.line())
		}
		m.last = beat{}
		m.mu.Unlock()
		return
	}
	if m.bar != nil {
		m.finish()
	}
	bars := m.bars
	m.mu.Unlock()
	bars.Wait()
}

// line is a beat as one line of its own.
func (b beat) line() string { return strings.TrimRight(b.stage+": "+b.tail(), ": ") }

// tail is a beat without its stage.
func (b beat) tail() string {
	var parts []string
	if b.total > 0 {
		parts = append(parts, fmt.Sprintf("%3.0f %%", 100*min(b.done/b.total, 1)))
	}
	if b.message != "" {
		parts = append(parts, b.message)
	}
	if b.rate > 0 && b.unit != "" {
		digits := 0
		if b.rate < 100 {
			digits = 1
		}
		parts = append(parts, fmt.Sprintf("%.*f %s/s", digits, b.rate, b.unit))
	}
	if b.extra != "" {
		parts = append(parts, b.extra)
	}
	if b.left > 0 {
		parts = append(parts, b.left.Round(time.Second).String()+" left")
	}
	return strings.Join(parts, ", ")
}
