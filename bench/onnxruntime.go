package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"
)

// onnxRuntime is Microsoft's, out of the npm package onnxruntime-node: CPU
// provider, all graph optimisations, sequential execution, its default memory
// arena and its default spinning. There is at most one in a process.
type onnxRuntime struct{ version string }

// onnxRuntimeLibrary is where `npm ci` in this folder puts the library.
func onnxRuntimeLibrary() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	return filepath.Join("node_modules", "onnxruntime-node", "bin", "napi-v6", runtime.GOOS, arch, "libonnxruntime.so.1")
}

func openONNXRuntime(library string) (*onnxRuntime, error) {
	if _, err := os.Stat(library); err != nil {
		return nil, fmt.Errorf("bench: ONNX Runtime: %w (`make -C bench deps` fetches it)", err)
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return nil, fmt.Errorf("bench: ONNX Runtime: %w", err)
	}
	return &onnxRuntime{ort.GetVersion()}, nil
}

// everyFile: it has no kernels for zeros either, but it is the one whose time on
// pruned files is claimed, so it is measured and not assumed.
func (r *onnxRuntime) everyFile() bool { return true }

func (r *onnxRuntime) processes() []int { return nil }

func (r *onnxRuntime) close() error { return ort.DestroyEnvironment() }

func (r *onnxRuntime) name() string { return "ONNX Runtime " + r.version }

func (r *onnxRuntime) load(model []byte, src []float32, s size, threads int) (_ session, err error) {
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, err
	}
	if len(inputs) != 1 || len(outputs) != 1 {
		return nil, fmt.Errorf("%d inputs and %d outputs, want one of each", len(inputs), len(outputs))
	}
	o, err := sessionOptions(threads)
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	var made ortSession
	defer func() {
		if err != nil {
			err = errors.Join(err, made.close())
		}
	}()
	colors := int64(len(src) / (s.w * s.h))
	if made.in, err = ort.NewTensor(ort.NewShape(1, colors, int64(s.h), int64(s.w)), src); err != nil {
		return nil, err
	}
	if made.out, err = ort.NewEmptyTensor[float32](outputs[0].Dimensions); err != nil {
		return nil, err
	}
	made.s, err = ort.NewAdvancedSessionWithONNXData(model, []string{inputs[0].Name}, []string{outputs[0].Name},
		[]ort.Value{made.in}, []ort.Value{made.out}, o)
	if err != nil {
		return nil, err
	}
	return &made, nil
}

func sessionOptions(threads int) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(threads), o.SetInterOpNumThreads(1), o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll))
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

type ortSession struct {
	s       *ort.AdvancedSession
	in, out *ort.Tensor[float32]
}

func (s *ortSession) frames(p pace) ([]float64, error) { return p.frames(s.s.Run) }
func (s *ortSession) output() ([]float32, error)       { return s.out.GetData(), nil }

func (s *ortSession) close() error {
	var errs []error
	if s.s != nil {
		errs = append(errs, s.s.Destroy())
	}
	for _, t := range []*ort.Tensor[float32]{s.in, s.out} {
		if t != nil {
			errs = append(errs, t.Destroy())
		}
	}
	return errors.Join(errs...)
}
