package main

import (
	"path/filepath"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/runner"
)

func TestCompareCommand(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []string{"joint", "random"} {
		smokeWith(t, filepath.Join(dir, mode+".yaml"), func(c *configs.Config) {
			c.Search.Mode, c.Train.Steps, c.Search.Evaluations, c.Winners.Count, c.Winners.Finetune = mode, 60, 60, 1, 0
		})
		ok(t, dir, "run", mode+".yaml")
	}
	one, two := filepath.Join("runs", "joint"), filepath.Join("runs", "random")
	text := ok(t, dir, "compare", one, two).stdout
	for _, want := range []string{"psnr_db, latency_ms after 60 evaluations each", one, two, "mean ratio", "signed-rank", "of 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	var c runner.Comparison
	unmarshal(t, ok(t, dir, "compare", one, two, "--evaluations", "30", "--json").stdout, &c)
	if c.Evaluations != 30 || len(c.Runs) != 2 || len(c.Groups) != 2 || len(c.Tests) != 1 || !(c.Groups[0].Mean > 0) {
		t.Errorf("%+v", c)
	}
	for _, bad := range [][]string{{one}, {one, one}, {one, "nowhere"}, {one, two, "--evaluations", "0"}} {
		if r := evosr(t, dir, nil, append([]string{"compare"}, bad...)...); r.code != exitUsage || r.stdout != "" {
			t.Errorf("compare %v: exit %d, want %d: %s", bad, r.code, exitUsage, r.stderr)
		}
	}
}
