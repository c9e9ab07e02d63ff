package deviceprofile

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"evosr/network"
	"evosr/onnx"
	"evosr/sparse"
)

// Runner times exported networks in another runtime, by a command of the user's.
//
// In the Command the words {model}, {width}, {height} and {threads} stand for an
// ONNX file, its input's size and the threads to use. The command is run once a
// measurement and prints milliseconds and nothing else: one number, or one for
// every timed frame. A Command without {model} is started once: it reads a line
// "MODEL WIDTH HEIGHT THREADS" and answers by a line of milliseconds, or by
// "error: " and why, until its input ends.
//
// The command runs in the shell of the system. A Profile keeps its text and
// never runs it.
type Runner struct {
	Command  string
	Patience time.Duration // for one measurement; 0 for a minute
}

// Runners are scripts that time ONNX files, by the name of a runtime.
func Runners() map[string]string { return map[string]string{"ort": ortRunner} }

//go:embed runners/ort.mjs
var ortRunner string

// errRunner says what is wrong with a runner's command or answer.
func (r *Runner) bad(format string, args ...any) error {
	return fmt.Errorf("deviceprofile: runner %q: %w", r.Command, fmt.Errorf(format, args...))
}

// maxAnswer bounds what is read of one answer.
const maxAnswer = 1 << 16

// watch is a started runner. It serves one goroutine.
type watch struct {
	*Runner
	threads int
	dir     string // of the models
	models  int

	process *exec.Cmd // a command that goes on, nil before the first turn
	in      io.WriteCloser
	out     chan answer
	ended   chan struct{} // closed when nobody listens any more
	talk    *tail         // what it said on standard error
}

type answer struct {
	line string
	err  error
}

func (r *Runner) start(threads int) (*watch, error) {
	if strings.TrimSpace(r.Command) == "" {
		return nil, r.bad("an empty command, want one that prints milliseconds")
	}
	for _, word := range []string{"{width}", "{height}", "{threads}"} {
		if strings.Contains(r.Command, word) && !r.once() {
			return nil, r.bad("%s without {model}: a command that goes on reads them from its input", word)
		}
	}
	dir, err := os.MkdirTemp("", "evosr-runner-*")
	if err != nil {
		return nil, fmt.Errorf("deviceprofile: runner: %w", err)
	}
	return &watch{Runner: r, threads: threads, dir: dir}, nil
}

// once says whether the command is run for every measurement.
func (r *Runner) once() bool { return strings.Contains(r.Command, "{model}") }

func (r *Runner) patience() time.Duration {
	if r.Patience > 0 {
		return r.Patience
	}
	return time.Minute
}

// stop ends the process and removes the models.
func (w *watch) stop() {
	w.hangUp()
	os.RemoveAll(w.dir)
}

func (w *watch) hangUp() {
	if w.process == nil {
		return
	}
	close(w.ended)
	w.in.Close()
	endGroup(w.process)
	_ = w.process.Wait() // it was ended on purpose
	w.process = nil
}

// prepare exports the network at its fixed size, without what a compiler that
// knows of pruning removes: whole channels. Its multiplications are dense.
func (w *watch) prepare(t *timed, net *network.Graph) error {
	prog, err := sparse.Compile(net, sparse.Options{Threads: 1})
	if err != nil {
		return fmt.Errorf("deviceprofile: %w", err)
	}
	defer prog.Close()
	t.layers = prog.Layers()
	for _, l := range t.layers {
		t.macs += l.In * l.Out * l.Kernel * l.Kernel
	}
	w.models++
	t.file = filepath.Join(w.dir, fmt.Sprintf("%d.onnx", w.models))
	f, err := os.Create(t.file)
	if err != nil {
		return fmt.Errorf("deviceprofile: runner: %w", err)
	}
	return errors.Join(onnx.Export(f, prog.Graph(), onnx.ExportOptions{Width: t.w, Height: t.h}), f.Close())
}

func (w *watch) release(t *timed) { os.Remove(t.file) }

// turn is one measurement.
func (w *watch) turn(ctx context.Context, t *timed) (*sparse.Observation, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.patience(), w.bad("no answer in %v", w.patience()))
	defer cancel()
	ask := w.ask
	if w.once() {
		ask = w.run
	}
	text, err := ask(ctx, t)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	frames, err := milliseconds(text)
	if err != nil {
		return nil, w.bad("%w", err)
	}
	return &sparse.Observation{Frames: frames}, nil
}

// run starts the command for one measurement.
func (w *watch) run(ctx context.Context, t *timed) (string, error) {
	text := strings.NewReplacer("{model}", quoted(t.file), "{width}", strconv.Itoa(t.w), "{height}", strconv.Itoa(t.h), "{threads}", strconv.Itoa(w.threads)).Replace(w.Command)
	cmd := shell(ctx, text)
	var talk tail
	out := tail{most: maxAnswer}
	cmd.Stdout, cmd.Stderr = &out, &talk
	err := cmd.Run()
	if err != nil {
		return "", w.bad("%w%s", err, talk.said())
	}
	return out.text(), nil
}

// ask hands a line to the command that goes on, and starts it first where it
// does not run yet.
func (w *watch) ask(ctx context.Context, t *timed) (string, error) {
	if w.process == nil {
		if err := w.begin(); err != nil {
			return "", w.bad("%w", err)
		}
	}
	if _, err := fmt.Fprintf(w.in, "%s %d %d %d\n", t.file, t.w, t.h, w.threads); err != nil {
		defer w.hangUp()
		return "", w.bad("it ended: %w%s", err, w.talk.said())
	}
	select {
	case <-ctx.Done():
		w.hangUp()
		return "", ctx.Err()
	case a := <-w.out:
		if a.err != nil {
			w.hangUp() // now all that it said is there
			return "", w.bad("it ended without an answer: %w%s", a.err, w.talk.said())
		}
		if why, failed := strings.CutPrefix(a.line, "error: "); failed {
			return "", w.bad("%s", why)
		}
		return a.line, nil
	}
}

// begin starts the command that goes on.
func (w *watch) begin() error {
	cmd := shell(context.Background(), w.Command)
	w.talk = &tail{}
	cmd.Stderr = w.talk
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.process, w.in, w.out, w.ended = cmd, in, make(chan answer), make(chan struct{})
	go listen(out, w.out, w.ended)
	return nil
}

// listen passes lines on until they or their listener end.
func listen(from io.Reader, to chan<- answer, ended <-chan struct{}) {
	tell := func(a answer) bool {
		select {
		case to <- a:
			return true
		case <-ended:
			return false
		}
	}
	s := bufio.NewScanner(from)
	s.Buffer(nil, maxAnswer)
	for s.Scan() {
		if !tell(answer{line: s.Text()}) {
			return
		}
	}
	err := s.Err()
	if err == nil {
		err = io.EOF
	}
	tell(answer{err: err})
}

// milliseconds reads what a runner printed.
func milliseconds(text string) ([]time.Duration, error) {
	var list []time.Duration
	for _, word := range strings.Fields(text) {
		ms, err := strconv.ParseFloat(word, 64)
		if err != nil || !(ms > 0 && ms < 1e9) {
			return nil, fmt.Errorf("it printed %q, want milliseconds above 0 and nothing else", cut(text))
		}
		list = append(list, time.Duration(math.Ceil(ms*1e6)))
	}
	if len(list) == 0 {
		return nil, errors.New("it printed nothing, want milliseconds")
	}
	return list, nil
}

// cut shortens a text for a message.
func cut(text string) string {
	const most = 200
	if text = strings.TrimSpace(text); len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// tail keeps the last bytes that were written to it.
type tail struct {
	most int // 0 for a few lines
	b    []byte
}

func (t *tail) Write(p []byte) (int, error) {
	most := t.most
	if most == 0 {
		most = 1024
	}
	t.b = append(t.b, p...)
	if n := len(t.b) - most; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) text() string { return string(t.b) }

// said is the text as the end of a message.
func (t *tail) said() string {
	if s := strings.TrimSpace(t.text()); s != "" {
		return ": " + s
	}
	return ""
}
