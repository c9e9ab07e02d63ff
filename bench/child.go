package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// outside is a rival that runs in processes of its own, one for each number of
// threads, which read commands and answer (rivals/pytorch.py lists them). A process
// times its own frames, so that no pipe is in the times; while it is not asked it
// waits for input and takes no processor.
type outside struct {
	label   string
	command func(threads int) *exec.Cmd
	// encode turns an ONNX file into what the process loads.
	encode  func(model []byte) ([]byte, error)
	running map[int]*child // by threads
}

// openOutside starts the process for one thread, which says whether the rival is
// there.
func openOutside(command func(threads int) *exec.Cmd, encode func([]byte) ([]byte, error)) (*outside, error) {
	first, err := startChild(command(1))
	if err != nil {
		return nil, err
	}
	return &outside{label: first.label, command: command, encode: encode, running: map[int]*child{1: first}}, nil
}

func (o *outside) name() string { return o.label }

// everyFile: no library here looks for zeros, so that the dense file's time is
// that of all.
func (o *outside) everyFile() bool { return false }

func (o *outside) processes() (pids []int) {
	for _, c := range o.running {
		pids = append(pids, c.cmd.Process.Pid)
	}
	return pids
}

func (o *outside) close() error {
	var errs []error
	for _, c := range o.running {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

func (o *outside) load(model []byte, src []float32, p size, threads int) (session, error) {
	c := o.running[threads]
	if c == nil {
		var err error
		if c, err = startChild(o.command(threads)); err != nil {
			return nil, err
		}
		o.running[threads] = c
	}
	data, err := o.encode(model)
	if err != nil {
		return nil, err
	}
	c.made++
	s := &remote{c, strconv.Itoa(c.made)}
	_, err = c.ask(fmt.Sprintf("load %s %d %d %d %d", s.id, len(data), len(src), p.w, p.h), data, floatBytes(src))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// command runs a program on a number of threads, which OpenMP also hears of.
func command(threads int, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, append(args, strconv.Itoa(threads))...)
	c.Env = append(os.Environ(), fmt.Sprintf("OMP_NUM_THREADS=%d", threads), "OMP_DYNAMIC=false")
	c.Stderr = os.Stderr
	return c
}

// child is a running process of a rival.
type child struct {
	label string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	made  int // sessions so far
}

// startChild starts a process and waits until it is ready.
func startChild(cmd *exec.Cmd) (_ *child, err error) {
	c := &child{cmd: cmd}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReaderSize(out, 1<<16)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := c.out.ReadString('\n')
	label, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err == nil && !ready {
		err = fmt.Errorf("it says %q, want ready", line)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: %s: %w", cmd, err), c.close())
	}
	c.label = label
	return c, nil
}

// close ends the process by the end of its input.
func (c *child) close() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

// ask sends a line with what belongs to it and returns the words of the answer.
func (c *child) ask(line string, data ...[]byte) ([]string, error) {
	fail := func(err error) error { return fmt.Errorf("bench: %s: %s: %w", c.label, line, err) }
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		return nil, fail(err)
	}
	for _, d := range data {
		if _, err := c.in.Write(d); err != nil {
			return nil, fail(err)
		}
	}
	answer, err := c.out.ReadString('\n')
	if err != nil {
		return nil, fail(err)
	}
	words := strings.Fields(answer)
	if len(words) == 0 || words[0] != "ok" {
		return nil, fail(errors.New(strings.TrimSpace(answer)))
	}
	return words[1:], nil
}

// remote is a session in a child.
type remote struct {
	c  *child
	id string
}

func (r *remote) frames(p pace) ([]float64, error) {
	words, err := r.c.ask(fmt.Sprintf("run %s %g %g %d", r.id, p.warm.Seconds()*1e3, p.group.Seconds()*1e3, p.least))
	if err != nil {
		return nil, err
	}
	ms := make([]float64, len(words))
	for i, w := range words {
		if ms[i], err = strconv.ParseFloat(w, 64); err != nil || !(ms[i] > 0) {
			return nil, fmt.Errorf("bench: %s: time of a frame: %q, want ms", r.c.label, w)
		}
	}
	if len(ms) < p.least {
		return nil, fmt.Errorf("bench: %s: %d frames, want at least %d", r.c.label, len(ms), p.least)
	}
	return ms, nil
}

func (r *remote) output() ([]float32, error) {
	words, err := r.c.ask("output " + r.id)
	if err != nil {
		return nil, err
	}
	if len(words) != 1 {
		return nil, fmt.Errorf("bench: %s: output of %q values, want one count", r.c.label, words)
	}
	n, err := strconv.ParseUint(words[0], 10, 28)
	if err != nil {
		return nil, fmt.Errorf("bench: %s: output: %w", r.c.label, err)
	}
	data := make([]byte, 4*n)
	if _, err := io.ReadFull(r.c.out, data); err != nil {
		return nil, fmt.Errorf("bench: %s: output: %w", r.c.label, err)
	}
	return bytesFloats(data), nil
}

func (r *remote) close() error {
	_, err := r.c.ask("drop " + r.id)
	return err
}

// floatBytes are values as little-endian float32.
func floatBytes(values []float32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func bytesFloats(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}
