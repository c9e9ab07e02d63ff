package lint

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pages reads every Markdown file of the module by its path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	list := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "runs") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			list[filepath.ToSlash(rel)] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Fatalf("only %d pages found", len(list))
	}
	return list
}

// TestArchitecturePage: the tables of docs/architecture.md are those that these
// tests enforce.
func TestArchitecturePage(t *testing.T) {
	page := pages(t)["docs/architecture.md"]
	told := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| (-?\\d+) \\| `([^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		floor, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		told[m[2]] = floor
	}
	for room, floor := range floors {
		if got, ok := told[room]; !ok || got != floor {
			t.Errorf("%s is on floor %d; the page says %d, %v", room, floor, got, ok)
		}
	}
	for room := range told {
		if _, ok := floors[room]; !ok {
			t.Errorf("the page has room %s, which is none", room)
		}
	}
	_, part, _ := strings.Cut(page, "## Doors")
	part, _, _ = strings.Cut(part, "\n## ")
	entries := map[string]string{} // by module as the page writes it: its rooms
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \|`).FindAllStringSubmatch(part, -1) {
		for _, q := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
			entries[q[1]] += ", " + m[2]
		}
	}
	for prefix, room := range doors {
		rooms := []string{room, sideDoors[prefix]}
		if room == "" {
			rooms[0] = "tests"
		}
		found := ""
		for module, where := range entries {
			if strings.HasPrefix(module+"/", strings.TrimSuffix(prefix, "/")+"/") {
				found += where + ", "
			}
		}
		for _, r := range rooms {
			if r != "" && !slices.Contains(strings.Split(found, ", "), r) {
				t.Errorf("the page does not say that %s enters by %s; it says %q", prefix, r, found)
			}
		}
	}
	for module, where := range entries {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(doors)), func(prefix string) bool {
			return strings.HasPrefix(module+"/", strings.TrimSuffix(prefix, "/")+"/")
		}) {
			t.Errorf("the page gives %s the door %s, which lint does not have", module, where)
		}
	}
	if words := len(strings.Fields(page)); words > 1200 {
		t.Errorf("the page has %d words, want at most 1200", words)
	}
}

// TestPageLines: lines of pages are at most 120 characters long, rows of tables
// apart, which cannot be broken.
func TestPageLines(t *testing.T) {
	for name, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			if n := len([]rune(line)); n > 120 && !strings.HasPrefix(line, "|") {
				t.Errorf("%s:%d: %d characters, want at most 120", name, i+1, n)
			}
		}
	}
}

// TestPageLinks: what a page links to is there.
func TestPageLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	for name, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			path := filepath.Join("..", "..", filepath.Dir(name), m[1])
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}

// TestRecipes: the files that docs/adding.md names are there.
func TestRecipes(t *testing.T) {
	named := regexp.MustCompile("`([a-z_]+/[a-z_/]+\\.[a-z]+)`").FindAllStringSubmatch(pages(t)["docs/adding.md"], -1)
	if len(named) < 20 {
		t.Errorf("%d files named, want at least 20", len(named))
	}
	for _, m := range named {
		if _, err := os.Stat(filepath.Join("..", "..", m[1])); err != nil {
			t.Errorf("docs/adding.md names %s, which is not there", m[1])
		}
	}
}
