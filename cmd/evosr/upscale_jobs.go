package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"evosr/imaging"
)

// job is a picture to be enlarged.
type job struct {
	in, out string
	format  string // of imaging.FormatOf
	named   bool   // out was typed: its folder must be there
}

// work is what a command has to do, and what it leaves aside.
type work struct {
	jobs   []job
	single bool                // one picture, into a file of a name of its own
	aside  map[string][]string // reason to paths
}

func (w *work) leave(reason, path string) { w.aside[reason] = append(w.aside[reason], path) }

// matched replaces patterns, where a shell has not, by the files that match.
func matched(ins []string) ([]string, error) {
	var all []string
	for _, in := range ins {
		if _, err := os.Lstat(in); err == nil || !strings.ContainsAny(in, "*?[") {
			all = append(all, in)
			continue
		}
		found, err := filepath.Glob(in)
		if err != nil {
			return nil, usagef("%s: %w", in, err)
		}
		if len(found) == 0 {
			return nil, dataf("%s: no file matches", in)
		}
		all = append(all, found...)
	}
	return all, nil
}

// jobs plans what becomes of the pictures and folders in ins.
func (o *upscaleOptions) jobs(ins []string, out string) (*work, error) {
	w := &work{aside: map[string][]string{}}
	into, err := os.Stat(out)
	folder := err == nil && into.IsDir()
	lone := len(ins) == 1
	if lone {
		info, err := os.Stat(ins[0])
		if err != nil {
			return nil, dataf("%s: %w", ins[0], reason(err))
		}
		lone = !info.IsDir()
	}
	switch {
	case lone && !folder && strings.HasSuffix(out, "/"):
		return nil, dataf("%s: there is no such folder", out)
	case lone && !folder:
		if same(ins[0], out) {
			return nil, usagef("OUT is IN: %s would be overwritten", ins[0])
		}
		format, err := imaging.FormatOf(out)
		if err != nil {
			return nil, usagef("%w", err)
		}
		w.jobs, w.single = []job{{ins[0], out, format, true}}, true
		return w, nil
	case err == nil && !folder:
		return nil, usagef("%s is a file: IN is a folder or several, so OUT must be one", out)
	case !folder && filepath.Ext(out) != "":
		if _, err := imaging.FormatOf(out); err == nil {
			return nil, usagef("%s is a picture's name: IN is a folder or several, so OUT must be a folder", out)
		}
	}
	from, err := o.gather(w, ins, into)
	if err != nil {
		return nil, err
	}
	if len(from) == 0 {
		return nil, dataf("imaging: %s: no pictures in this folder, want files that end in %s%s", strings.Join(ins, ", "),
			strings.Join(imaging.Extensions(), ", "), w.told(", or "))
	}
	w.single = lone
	return w, o.name(w, from, out)
}

// found is a picture and the name that it has below the folder that was typed.
type found struct{ path, rel string }

// gather looks for pictures in folders. into is the folder of the results, which is
// not looked into.
func (o *upscaleOptions) gather(w *work, ins []string, into fs.FileInfo) ([]found, error) {
	var from []found
	for i, in := range ins {
		if slices.Contains(ins[:i], in) {
			continue // twice, by two patterns
		}
		info, err := os.Stat(in)
		if err != nil {
			return nil, dataf("%s: %w", in, reason(err))
		}
		if !info.IsDir() {
			from = append(from, found{in, filepath.Base(in)})
			continue
		}
		if err := o.walk(w, &from, in, "", into); err != nil {
			return nil, err
		}
	}
	return from, nil
}

// walk takes the pictures of one folder, which lies at rel below the one that was
// typed.
func (o *upscaleOptions) walk(w *work, from *[]found, dir, rel string, into fs.FileInfo) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dataf("%s: %w", dir, reason(err))
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dir, name)
		if strings.HasPrefix(name, ".") {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir() && !o.recursive:
			w.leave("a subfolder, taken with --recursive", path)
		case err == nil && info.IsDir() && (into != nil && os.SameFile(info, into) || e.Type()&fs.ModeSymlink != 0):
			// The results, or a way that may lead in circles.
		case err == nil && info.IsDir():
			if err := o.walk(w, from, path, filepath.Join(rel, name), into); err != nil {
				return err
			}
		case err == nil && !info.Mode().IsRegular():
			w.leave("no regular file", path)
		case slices.Contains(imaging.Extensions(), strings.ToLower(filepath.Ext(name))):
			*from = append(*from, found{path, filepath.Join(rel, name)}) // a dangling link, too: reading names it
		case slices.Contains(videoNames(), strings.ToLower(filepath.Ext(name))):
			w.leave("a video, which is enlarged by itself", path)
		default:
			w.leave("no picture by its name", path)
		}
	}
	return nil
}

// name gives every picture a file of its own below out: by its name without the
// ending; where two would have the same one, whole names tell them apart.
func (o *upscaleOptions) name(w *work, from []found, out string) error {
	ext := ".png"
	if !strings.EqualFold(o.format, "png") {
		ext = ".jpg"
	}
	format, err := imaging.FormatOf(ext)
	if err != nil {
		return usagef("%w", err)
	}
	short := func(f found) string { return strings.TrimSuffix(f.rel, filepath.Ext(f.rel)) + ext }
	fold := strings.ToLower // some disks do not tell A from a
	count := map[string]int{}
	for _, f := range from {
		count[fold(short(f))]++
	}
	var inputs []fs.FileInfo
	for _, f := range from {
		if info, err := os.Stat(f.path); err == nil {
			inputs = append(inputs, info)
		}
	}
	taken := map[string]string{}
	for _, f := range from {
		name := short(f)
		if count[fold(name)] > 1 {
			name = f.rel + ext
		}
		for n := 2; taken[fold(name)] != "" || name != short(f) && count[fold(name)] > 0; n++ { // from several folders
			name = fmt.Sprintf("%s-%d%s", f.rel, n, ext)
		}
		taken[fold(name)] = f.path
		path := filepath.Join(out, name)
		if info, err := os.Stat(path); err == nil && slices.ContainsFunc(inputs, func(i fs.FileInfo) bool { return os.SameFile(i, info) }) {
			return usagef("%s would be overwritten: choose another folder for OUT", path)
		}
		w.jobs = append(w.jobs, job{in: f.path, out: path, format: format})
	}
	return nil
}

// told says in one sentence what was left aside, "" where nothing was.
func (w *work) told(before string) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(w.aside)) {
		paths := w.aside[reason]
		const most = 4 // names of a reason
		names := ""
		for _, p := range paths[:min(most, len(paths))] {
			names += ", " + filepath.Base(p)
		}
		if n := len(paths) - most; n > 0 {
			names += fmt.Sprintf(" and %d more", n)
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", strings.TrimPrefix(names, ", "), reason))
	}
	if len(parts) == 0 {
		return ""
	}
	return before + "passed over: " + strings.Join(parts, "; ")
}

// summary says what was done, what cannot be read and what was left aside.
func (a *app) summary(w *work, broken []error) error {
	n := len(w.jobs)
	switch {
	case len(broken) == 1 && len(w.aside) == 0:
		return dataf("%w", broken[0])
	case len(broken) > 0:
		for _, err := range broken {
			a.say("%v", err)
		}
		return dataf("%d of %s not enlarged%s", len(broken), plural(n, "picture"), w.told("; "))
	case len(w.aside) > 0:
		a.say("%s enlarged%s", plural(n, "picture"), w.told("; "))
	}
	return nil
}
