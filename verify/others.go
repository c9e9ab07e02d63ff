package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"evosr/internal/whole"
	"evosr/onnx"
	"evosr/onnx/opinion"
)

// childMemory is the address space of the process that runs onnx-go, bytes; Go
// alone reserves some hundred megabytes.
const childMemory = 4 << 30

// childPatience bounds its time.
const childPatience = 2 * time.Minute

func (v *Verification) onnxGo(ctx context.Context) ([]float32, string, error) {
	switch {
	case !opinion.Included:
		return nil, "left out of this build", nil
	case max(v.o.Width, v.o.Height) > onnx.MaxPortable:
		return nil, fmt.Sprintf("left out: the portable form has at most %d pixels a side", onnx.MaxPortable), nil
	}
	var model bytes.Buffer
	o := onnx.ExportOptions{Width: v.o.Width, Height: v.o.Height, Portable: true}
	switch err := onnx.Export(&model, v.graph, o); {
	case errors.Is(err, onnx.ErrPortable):
		return nil, "left out: it reads operators beyond evosr's own layers wrongly", nil
	case err != nil:
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, childPatience)
	defer cancel()
	in := binary.LittleEndian.AppendUint32(nil, uint32(model.Len()))
	for _, n := range []int{v.graph.Colors, v.o.Height, v.o.Width} {
		in = binary.LittleEndian.AppendUint32(in, uint32(n))
	}
	in = append(append(in, model.Bytes()...), floatBytes(v.src)...)
	cmd := exec.CommandContext(ctx, v.o.Child[0], v.o.Child[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return nil, "", fmt.Errorf("the process that runs it ended: %w: %.300s", err, strings.TrimSpace(talk.String()))
	}
	return floats(out), "", nil
}

// ErrRequest says that Child was given something else than what Run writes.
var ErrRequest = errors.New("verify: child: no request")

// Child is the other side of a Run: numbers and a model in, values out. It limits
// the memory of this process.
func Child(in io.Reader, out io.Writer) error {
	if err := opinion.Limit(childMemory); err != nil {
		return err
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var head [4]int // bytes of the model, colors, height, width
	for i := range head {
		if len(text) < 4 {
			return ErrRequest
		}
		head[i], text = int(binary.LittleEndian.Uint32(text)), text[4:]
	}
	if head[0] > len(text) {
		return ErrRequest
	}
	values, err := opinion.Run(text[:head[0]], floats(text[head[0]:]), head[1], head[2], head[3])
	if err != nil {
		return err
	}
	_, err = out.Write(floatBytes(values))
	return err
}

func floatBytes(list []float32) []byte {
	b := make([]byte, 0, 4*len(list))
	for _, x := range list {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func floats(b []byte) []float32 {
	list := make([]float32, len(b)/4)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return list
}

// runner has another runtime compute the file itself, or what Export makes of a
// program.
func (v *Verification) runner(ctx context.Context) ([]float32, string, error) {
	dir, err := os.MkdirTemp("", "evosr-verify-*")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	model, white := v.o.File, v.o.White
	if model == "" {
		white = 1 // the program multiplies by itself
		model = filepath.Join(dir, "model.onnx")
		err = whole.Write(model, 0o600, func(w io.Writer) error { return onnx.Export(w, v.graph, onnx.ExportOptions{}) })
	} else {
		model, err = filepath.Abs(model)
	}
	if err != nil {
		return nil, "", err
	}
	src := make([]float32, len(v.src))
	for i, x := range v.src {
		src[i] = x * white
	}
	input, output := filepath.Join(dir, "input"), filepath.Join(dir, "output")
	if err := os.WriteFile(input, floatBytes(src), 0o600); err != nil {
		return nil, "", err
	}
	dims := fmt.Sprintf("1,%d,%d,%d", v.graph.Colors, v.o.Height, v.o.Width)
	line := strings.NewReplacer("{model}", shellQuote(model), "{input}", shellQuote(input), "{output}", shellQuote(output), "{dims}", dims).Replace(v.o.Runner)
	shell := []string{"sh", "-c", line}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", line}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.WaitDelay = time.Second
	if talk, err := cmd.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("%w: %.300s", err, strings.TrimSpace(string(talk)))
	}
	out, err := os.ReadFile(output)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", errors.New("the command wrote no {output}")
	}
	if err != nil {
		return nil, "", err
	}
	if len(out) != 4*len(v.ours) {
		return nil, "", fmt.Errorf("the command wrote %d bytes, want %d: float32 values of 1,%d,%d,%d", len(out), 4*len(v.ours),
			v.graph.Colors, v.o.Height*v.graph.Scale, v.o.Width*v.graph.Scale)
	}
	theirs := floats(out)
	for i := range theirs {
		theirs[i] /= white
	}
	return theirs, "", nil
}

// shellQuote makes one word of a path.
func shellQuote(s string) string {
	if runtime.GOOS == "windows" {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
