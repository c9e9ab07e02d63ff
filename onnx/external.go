package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// MaxExternal bounds the external data of one model, in bytes.
const MaxExternal = 1 << 30

// DecodeExternal is Decode for models whose tensors lie in files beside them: it
// opens regular files below folder, wherever their names and links lead, and no
// others. Reading is bounded by MaxExternal, and nothing is allocated for bytes
// that the files do not have.
func DecodeExternal(data []byte, folder *os.Root) (*Model, error) {
	return decode(data, &files{root: folder})
}

// files gives external data.
type files struct {
	root *os.Root
	read int64 // bytes so far
}

// fetch reads the data of a tensor from another file into raw.
func (t *tensor) fetch(mem *memory, body []byte, c count) error {
	name, size, typed := t.kind.elements()
	if size == 0 {
		return fmt.Errorf("%s is not read, want float32, float16, int64 or another plain number", name)
	}
	if c[tensorRaw] != 0 || c[typed] != 0 {
		return errors.New("data lie in this file and in another, want one of them")
	}
	where, err := whereabouts(body)
	if err != nil {
		return err
	}
	want := int64(t.n) * int64(size)
	if int64(t.n) > MaxExternal { // before the product is looked at: it may overflow
		return fmt.Errorf("dims %v ask for %d %s, want at most %d bytes from other files", t.dims, t.n, name, MaxExternal)
	}
	number := func(key string, preset int64) (int64, error) {
		text, has := where[key]
		if !has {
			return preset, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("external_data: %s %s, want a number of bytes", key, quote(text))
		}
		return n, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return err
	}
	length, err := number("length", want)
	if err != nil {
		return err
	}
	if length != want {
		return fmt.Errorf("dims %v ask for %d %s, external_data has length %d, want %d", t.dims, t.n, name, length, want)
	}
	t.raw, err = mem.files.get(where["location"], offset, want)
	if err != nil {
		return fmt.Errorf("external data %s: %w", quote(where["location"]), err)
	}
	return nil
}

// get reads n bytes of a file from offset on.
func (f *files) get(name string, offset, n int64) ([]byte, error) {
	if name == "" || !filepath.IsLocal(name) {
		return nil, errors.New("want the name of a file below the model's folder")
	}
	if f.read += n; f.read > MaxExternal {
		return nil, fmt.Errorf("more than %d bytes from other files", MaxExternal)
	}
	plain := func(info os.FileInfo, err error) error {
		switch {
		case err != nil:
			return reason(err)
		case !info.Mode().IsRegular():
			return errors.New("is no regular file")
		case info.Size() < n || info.Size()-n < offset:
			return fmt.Errorf("has %d bytes, want %d from byte %d on", info.Size(), n, offset)
		}
		return nil
	}
	if err := plain(f.root.Stat(name)); err != nil { // a pipe would block when it is opened
		return nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	if err := plain(file.Stat()); err != nil { // what was opened, not what was there before
		return nil, err
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(file, offset, n), data); err != nil {
		return nil, reason(err)
	}
	return data, nil
}

// reason leaves out the name, which the message has already.
func reason(err error) error {
	if p, is := errors.AsType[*os.PathError](err); is {
		return p.Err
	}
	return err
}
