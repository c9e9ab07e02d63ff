package main

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
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"evosr/imaging"
	"evosr/network"
	"evosr/onnx"
	"evosr/onnx/opinion"
	"evosr/rundir"
	"evosr/sparse"
)

// verifyResult is the JSON of verify, a promise to scripts.
type verifyResult struct {
	Model     string        `json:"model"`
	Width     int           `json:"width"` // of the input
	Height    int           `json:"height"`
	Scale     int           `json:"scale"`
	Colors    int           `json:"colors"`
	Kernels   string        `json:"kernels"`
	Tolerance float64       `json:"tolerance"`
	Agrees    bool          `json:"agrees"`
	Opinions  []opinionJSON `json:"opinions"`
}

type opinionJSON struct {
	Name       string  `json:"name"`
	Agrees     bool    `json:"agrees"`
	Difference float64 `json:"difference"` // the largest, white being 1; -1 where nothing was computed
	Note       string  `json:"note,omitempty"`
}

// Names of the other implementations.
const (
	byDefinition = "definition" // float64 loops
	byOnnxGo     = "onnx-go"    // with its Gorgonia backend
	byRunner     = "runner"
)

func (a *app) verifyCmd() *cobra.Command {
	var o modelOptions
	var runner string
	var tolerance float64
	frame := size{48, 32}
	c := &cobra.Command{
		Use:   "verify MODEL",
		Short: "A network here against independent implementations",
		Long: "Computes a procedural picture by evosr's runtime and by others, and prints the\n" +
			"largest difference; white is 1.\n\n" +
			"definition  slow loops in float64\n" +
			"onnx-go     its decoder and Gorgonia backend, in a process of limited memory, on\n" +
			"            the portable form; for networks of evosr's own layers only\n" +
			"runner      the command of --runner, in which {model}, {input}, {output} and\n" +
			"            {dims} stand for the ONNX file, a file of float32 values to read, one\n" +
			"            to write, and the input's shape such as 1,1,32,48\n\n" +
			"Exit code 6 when one disagrees.",
		Example: "  evosr verify winner.onnx\n" +
			"  evosr verify net.onnx --runner 'node onnx/nodecheck/run.mjs {model} {input} {output} {dims}'",
		Args: arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == bicubic {
				return usagef("bicubic is no network: give an ONNX file or a program file")
			}
			if !(tolerance > 0) {
				return usagef("--tolerance %v, want more than 0", tolerance)
			}
			if frame.w*frame.h > 1<<18 {
				return usagef("--size %v, want at most %d pixels: the others are slow", &frame, 1<<18)
			}
			v, err := newVerification(args[0], frame, o)
			if err != nil {
				return err
			}
			defer v.program.Close()
			r, err := v.run(c.Context(), runner, tolerance)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = a.printVerify(r)
			}
			if err == nil && !r.Agrees {
				return integrityf("%s: %s", args[0], r.quarrel())
			}
			return err
		},
	}
	c.Flags().Var(&frame, "size", "input picture, pixels")
	c.Flags().StringVar(&runner, "runner", "", "command of another runtime")
	c.Flags().Float64Var(&tolerance, "tolerance", 1e-4, "largest difference that counts as agreement")
	modelFlags(c, &o)
	return a.jsonFlag(c)
}

// verification is a picture, what it becomes here, and what it takes to compute
// the same elsewhere.
type verification struct {
	path    string // an ONNX file, or "" where the model is none
	white   float32
	program *sparse.Program
	graph   *network.Graph
	frame   size
	src     []float32
	ours    []float32
	result  verifyResult
}

func newVerification(name string, frame size, o modelOptions) (*verification, error) {
	v := &verification{frame: frame, white: float32(o.white)}
	if text, err := readModel(name, rundir.FileProgram); err == nil && !isProgram(text) {
		n, err := importONNX(name, text, o)
		if err != nil {
			return nil, err
		}
		v.path, v.graph = name, n.graph
		if v.program, err = n.compile(o.threads); err != nil {
			return nil, err
		}
	} else {
		p, err := openProgram(name, o)
		if err != nil {
			return nil, err
		}
		v.program, v.graph = p, p.Graph()
	}
	p := v.program
	v.result = verifyResult{Model: name, Width: frame.w, Height: frame.h, Scale: p.Scale(), Colors: p.Colors(), Kernels: p.Kernels()}
	const side = 64 // repeated where more is asked for
	for c := range p.Colors() {
		plane := imaging.Procedural(1, c, side)
		for i := range frame.w * frame.h {
			v.src = append(v.src, plane.Pix[i/frame.w%side*side+i%frame.w%side])
		}
	}
	v.ours = make([]float32, len(v.src)*p.Scale()*p.Scale())
	if err := p.Upscale(v.ours, v.src, frame.w, frame.h); err != nil {
		p.Close()
		return nil, dataf("model %s: %w", name, err)
	}
	return v, nil
}

func (v *verification) run(ctx context.Context, runner string, tolerance float64) (*verifyResult, error) {
	r := &v.result
	r.Tolerance, r.Agrees = tolerance, true
	type other struct {
		name    string
		compute func(context.Context) (values []float32, note string, err error)
	}
	list := []other{{byDefinition, v.definition}, {byOnnxGo, v.onnxGo}}
	if runner != "" {
		list = append(list, other{byRunner, func(ctx context.Context) ([]float32, string, error) { return v.runner(ctx, runner) }})
	}
	for _, l := range list {
		theirs, note, err := l.compute(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		o := opinionJSON{Name: l.name, Note: note, Difference: -1}
		switch {
		case err != nil:
			o.Note = sentence(err)
			r.Agrees = false
		case theirs == nil:
			o.Agrees = true // has nothing to say
		default:
			o.Difference = largest(v.ours, theirs)
			o.Agrees = o.Difference <= tolerance
			r.Agrees = r.Agrees && o.Agrees
		}
		r.Opinions = append(r.Opinions, o)
	}
	return r, nil
}

// largest is the largest difference; what is no number, or lists of different
// lengths, differ by any.
func largest(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.MaxFloat64
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if !(d <= math.MaxFloat32) {
			return math.MaxFloat64
		}
		worst = max(worst, d)
	}
	return worst
}

func (v *verification) definition(context.Context) ([]float32, string, error) {
	out, err := v.graph.Reference(v.src, v.frame.w, v.frame.h)
	return out, "", err
}

// childMemory is the address space of the process that runs onnx-go, bytes; Go
// alone reserves some hundred megabytes.
const childMemory = 4 << 30

// childPatience bounds its time.
const childPatience = 2 * time.Minute

// childCommand is what the process is asked to do.
const childCommand = "onnx-go-child"

func (v *verification) onnxGo(ctx context.Context) ([]float32, string, error) {
	switch {
	case !opinion.Included:
		return nil, "left out of this build", nil
	case max(v.frame.w, v.frame.h) > onnx.MaxPortable:
		return nil, fmt.Sprintf("left out: the portable form has at most %d pixels a side", onnx.MaxPortable), nil
	}
	var model bytes.Buffer
	o := onnx.ExportOptions{Width: v.frame.w, Height: v.frame.h, Portable: true}
	switch err := onnx.Export(&model, v.graph, o); {
	case errors.Is(err, onnx.ErrPortable):
		return nil, "left out: it reads operators beyond evosr's own layers wrongly", nil
	case err != nil:
		return nil, "", err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, childPatience)
	defer cancel()
	in := binary.LittleEndian.AppendUint32(nil, uint32(model.Len()))
	for _, n := range []int{v.graph.Colors, v.frame.h, v.frame.w} {
		in = binary.LittleEndian.AppendUint32(in, uint32(n))
	}
	in = append(append(in, model.Bytes()...), floatBytes(v.src)...)
	cmd := exec.CommandContext(ctx, self, childCommand)
	cmd.Stdin = bytes.NewReader(in)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return nil, "", fmt.Errorf("the process that runs it ended: %w: %.300s", err, strings.TrimSpace(talk.String()))
	}
	return floats(out), "", nil
}

// childCmd is the other side of onnxGo: numbers and a model in, values out.
func (a *app) childCmd() *cobra.Command {
	return &cobra.Command{
		Use: childCommand, Hidden: true, Args: cobra.NoArgs,
		Short: "Run one picture through onnx-go; verify's other half",
		RunE: func(*cobra.Command, []string) error {
			if err := opinion.Limit(childMemory); err != nil {
				return err
			}
			in, err := io.ReadAll(a.in)
			if err != nil {
				return err
			}
			var head [4]int // bytes of the model, colors, height, width
			for i := range head {
				if len(in) < 4 {
					return usagef("%s is a part of verify", childCommand)
				}
				head[i], in = int(binary.LittleEndian.Uint32(in)), in[4:]
			}
			if head[0] > len(in) {
				return usagef("%s is a part of verify", childCommand)
			}
			out, err := opinion.Run(in[:head[0]], floats(in[head[0]:]), head[1], head[2], head[3])
			if err != nil {
				return err
			}
			_, err = a.out.Write(floatBytes(out))
			return err
		},
	}
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
func (v *verification) runner(ctx context.Context, command string) ([]float32, string, error) {
	dir, err := os.MkdirTemp("", "evosr-verify-*")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	model := v.path
	if model == "" {
		model = filepath.Join(dir, "model.onnx")
		err = writeWhole(model, func(w io.Writer) error { return onnx.Export(w, v.graph, onnx.ExportOptions{}) })
	} else if model, err = filepath.Abs(model); err != nil {
		return nil, "", err
	}
	if err != nil {
		return nil, "", err
	}
	white := v.white
	if v.path == "" {
		white = 1 // the program multiplies by itself
	}
	src := make([]float32, len(v.src))
	for i, x := range v.src {
		src[i] = x * white
	}
	input, output := filepath.Join(dir, "input"), filepath.Join(dir, "output")
	if err := os.WriteFile(input, floatBytes(src), 0o600); err != nil {
		return nil, "", err
	}
	dims := fmt.Sprintf("1,%d,%d,%d", v.program.Colors(), v.frame.h, v.frame.w)
	line := strings.NewReplacer("{model}", shellQuote(model), "{input}", shellQuote(input), "{output}", shellQuote(output), "{dims}", dims).Replace(command)
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
			v.program.Colors(), v.frame.h*v.program.Scale(), v.frame.w*v.program.Scale())
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

// quarrel says who disagrees.
func (r *verifyResult) quarrel() string {
	var list []string
	for _, o := range r.Opinions {
		switch {
		case o.Agrees:
		case o.Difference < 0:
			list = append(list, o.Name+" fails")
		default:
			list = append(list, fmt.Sprintf("%s disagrees by more than %g", o.Name, r.Tolerance))
		}
	}
	return strings.Join(list, ", ")
}

func (a *app) printVerify(r *verifyResult) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	for _, o := range r.Opinions {
		switch {
		case o.Difference < 0 && o.Agrees:
			fmt.Fprintf(w, "%s\t-\t%s\n", o.Name, o.Note)
		case o.Difference < 0:
			fmt.Fprintf(w, "%s\tfails\t%s\n", o.Name, o.Note)
		case o.Agrees:
			fmt.Fprintf(w, "%s\tagrees\tlargest difference %.2g\n", o.Name, o.Difference)
		default:
			fmt.Fprintf(w, "%s\tdisagrees\tlargest difference %.2g\n", o.Name, o.Difference)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s on %s kernels, %dx%d to %dx%d, white is 1, tolerance %g\n", filepath.Base(r.Model), r.Kernels,
		r.Width, r.Height, r.Width*r.Scale, r.Height*r.Scale, r.Tolerance)
	return err
}
