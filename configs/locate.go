package configs

import (
	"errors"
	"os"
	"slices"
)

// A KeyError is a fault of a config's value that shows only when it is used, such as
// a folder that is not there.
type KeyError struct {
	Key string // "data.train"
	Err error
}

func (e *KeyError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *KeyError) Unwrap() error { return e.Err }

// Locate gives the places in a config file, or the preset of that name, of all
// KeyErrors within err; nil where there are none or the file does not read.
func Locate(path string, err error) *Faults {
	var keys []*KeyError
	gather(err, &keys)
	if len(keys) == 0 {
		return nil
	}
	text, readErr := readBounded(path, maxConfig)
	if os.IsNotExist(readErr) {
		var ok bool
		if text, ok = presetOf(path); !ok && slices.Contains(Presets(), path) {
			text, readErr = Preset(path)
		} else if ok {
			readErr = nil
		}
	}
	if readErr != nil {
		return nil
	}
	c := newCollector(path, text)
	root := document(c, text, maxConfig)
	if len(c.list) > 0 {
		return nil
	}
	w := walkerOf(c)
	w.file(&draft{}, root)
	c.list, c.more = nil, 0 // faults of the file itself are somebody else's
	for _, k := range keys {
		n := w.node([]string{k.Key})
		c.add(n.Line, n.Column, "%s", k.Error())
	}
	var faults *Faults
	errors.As(c.err(), &faults)
	return faults
}

// gather appends the KeyErrors of a tree of errors, in its order.
func gather(err error, list *[]*KeyError) {
	if k, ok := err.(*KeyError); ok {
		*list = append(*list, k)
		return
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		gather(e.Unwrap(), list)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			gather(err, list)
		}
	}
}
