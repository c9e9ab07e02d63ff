package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// places are where rivals are looked for, relative to this folder.
type places struct {
	library string // ONNX Runtime's
	python  string // one that has PyTorch
}

// opener knows one rival and how to get it.
type opener struct {
	name    string
	install string
	open    func(p places) (rival, error)
}

// openers are the rivals in the order of the table.
func openers() []opener {
	built := func(name string) func(places) (rival, error) {
		return func(places) (rival, error) {
			return openOutside(func(threads int) *exec.Cmd {
				return command(threads, "."+string(filepath.Separator)+filepath.Join("bin", name))
			}, describe)
		}
	}
	return []opener{
		{"onnxruntime", "make -C bench deps (npm)", func(p places) (rival, error) { return openONNXRuntime(p.library) }},
		{"torch", "Debian's python3-torch and python3-onnx, or -python PATH", func(p places) (rival, error) {
			return openOutside(func(threads int) *exec.Cmd {
				return command(threads, p.python, filepath.Join("rivals", "pytorch.py"))
			}, func(model []byte) ([]byte, error) { return model, nil })
		}},
		{"onednn", "Debian's libdnnl-dev and g++, then make -C bench deps", built("onednn")},
		{"mnn", "make -C bench mnn (git, cmake, g++; builds it for some minutes)", built("mnn")},
		{"ncnn", "make -C bench ncnn (likewise)", built("ncnn")},
	}
}

func openerName(o opener) string { return o.name }

// openRivals starts the wanted rivals. One that is not there is left out, with a
// line that says how to get it.
func openRivals(wanted []opener, p places) (list []rival, absent []string) {
	for _, o := range wanted {
		r, err := o.open(p)
		if err != nil {
			reason, _, _ := strings.Cut(err.Error(), "\n")
			absent = append(absent, fmt.Sprintf("%s: %s; install: %s", o.name, strings.TrimPrefix(reason, "bench: "), o.install))
			continue
		}
		list = append(list, r)
	}
	return list, absent
}

func closeRivals(list []rival) error {
	var errs []error
	for _, r := range list {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}
