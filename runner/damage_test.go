package runner

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/rundir"
)

// TestDamage takes copies of a finished run, does to each what happens to files,
// and wants the same result or a sentence and the right error.
func TestDamage(t *testing.T) {
	const change = "steps=20\nfinetune=0"
	base := filepath.Join(t.TempDir(), "run")
	want := mustRun(t, smoke(t, change), base, Options{})
	inStore := func(queries ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			query(t, dir, queries...)
		}
	}
	truncated := func(name string, size int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	removed := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	leftOver := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	tests := []struct {
		name  string
		harm  func(*testing.T, string)
		want  error // nil: the run ends as it did before
		words []string
	}{
		{"copied elsewhere", func(*testing.T, string) {}, nil, nil},
		{"half-written files", leftOver(".tmp-1", filepath.Join(rundir.DirWinners, ".tmp-2")), nil, nil},
		{"front.json edited", leftOver(rundir.FileFront), nil, nil},
		{"config.yaml edited", leftOver(rundir.FileConfig), nil, nil},
		{"no supernet", removed(rundir.FileSupernet), nil, nil},
		{"no winners", removed(rundir.DirWinners), nil, nil},
		{"killed before a card", inStore("UPDATE winners SET card = NULL"), nil, nil},
		{"killed before the winners", inStore("DELETE FROM winners"), nil, nil},
		{"killed before the front", inStore("DELETE FROM winners", "DELETE FROM front", "DELETE FROM meta WHERE key = 'search.end'", "DELETE FROM evaluations WHERE idx > 99"), nil, nil},
		{"no run.db", removed(rundir.FileStore), rundir.ErrUsage, []string{"holds files but no run.db"}},
		{"run.db cut", truncated(rundir.FileStore, 5000), rundir.ErrIntegrity, []string{rundir.FileStore}},
		{"run.db a folder", func(t *testing.T, dir string) {
			removed(rundir.FileStore)(t, dir)
			if err := os.Mkdir(filepath.Join(dir, rundir.FileStore), 0o755); err != nil {
				t.Fatal(err)
			}
		}, rundir.ErrUsage, []string{rundir.FileStore, "cannot be opened"}},
		{"supernet cut", truncated(rundir.FileSupernet, 1000), rundir.ErrIntegrity, []string{rundir.FileSupernet}},
		{"an evaluation of another search", inStore("DELETE FROM winners", "DELETE FROM front", "DELETE FROM meta WHERE key = 'search.end'",
			"UPDATE evaluations SET genome = (SELECT genome FROM evaluations WHERE idx = 40) WHERE idx = 50"), rundir.ErrIntegrity, []string{rundir.FileStore, "entry 50", "another search"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			tt.harm(t, dir)
			err := Run(t.Context(), smoke(t, change), dir, Options{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("error is %v, want %v", err, tt.want)
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
			if tt.want != nil {
				return
			}
			if got := frontOf(t, dir); !bytes.Equal(got, want) {
				t.Errorf("the front is\n%s\nwant\n%s", got, want)
			}
			sameModels(t, base, dir)
			for _, pattern := range []string{".*", filepath.Join(rundir.DirWinners, ".*")} {
				if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			}
		})
	}
}

// TestMoved moves a run with its pictures: it is continued from where they are
// now, and whoever reads the directory finds them there, too.
func TestMoved(t *testing.T) {
	const change = "steps=20\nfinetune=0\nvalidation="
	was, now := t.TempDir(), filepath.Join(t.TempDir(), "now")
	folder := filepath.Join(was, "pictures")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a.png"), picture(t, 80, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	want := mustRun(t, smoke(t, change+folder), filepath.Join(was, "run"), Options{})
	if err := os.Rename(was, now); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(now, "pictures")
	dir := filepath.Join(now, "run")
	if got := mustRun(t, smoke(t, change+folder), dir, Options{}); !bytes.Equal(got, want) {
		t.Errorf("the front is\n%s\nwant\n%s", got, want)
	}
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Validation(); err != nil || d.Config().Data.Validation != folder {
		t.Errorf("validation pictures: %v, in %s, want %s", err, d.Config().Data.Validation, folder)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.FileConfig))
	if err != nil || !bytes.Equal(text, d.Config().YAML()) {
		t.Errorf("config.yaml is not the config of the run: %v\n%s", err, text)
	}
}

// query does to a run's database what no Store would.
func query(t *testing.T, dir string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, rundir.FileStore))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

// scoresKept counts the scores of a run.
func scoresKept(t *testing.T, dir string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, rundir.FileStore))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM scores").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// sameModels wants the winners' models of two runs to have the same bytes; cards
// hold measured times and differ.
func sameModels(t *testing.T, a, b string) {
	t.Helper()
	models, err := filepath.Glob(filepath.Join(a, rundir.DirWinners, "*", rundir.FileONNX))
	if err != nil || len(models) == 0 {
		t.Fatalf("models %v, %v", models, err)
	}
	for _, path := range models {
		want, err := rundir.HashFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(a, path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rundir.HashFile(filepath.Join(b, name)); err != nil || got != want {
			t.Errorf("%s: hash %s, want %s (%v)", name, got, want, err)
		}
	}
}
