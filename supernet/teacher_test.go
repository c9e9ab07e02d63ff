package supernet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

// TestTeach wants every output's answer to be what the teacher makes of its
// patch, the same at any number of threads.
func TestTeach(t *testing.T) {
	sp := smallSpace(2, 3)
	g := sp.Random(check.Rand(t))
	teacher, err := noisy(sp, 2).Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	const patch, count = 6, 7
	l := taught(t, teacher, waves{2, 3}, patch, count)
	low, high := 3*patch*patch, 12*patch*patch
	for i := range count {
		lr, hr, answer := make([]float32, low), make([]float32, high), make([]float32, high)
		l.take(i, lr, hr, answer)
		if slices.Equal(lr, make([]float32, low)) || slices.Equal(hr, make([]float32, high)) {
			t.Fatal("an empty output")
		}
		// Channel c*4+j*2+k of the answer is pixel (j, k) of each 2x2 cell.
		want := Reference(teacher, lr, patch, patch)
		var got []float32
		for c := range 3 {
			for y := range 2 * patch {
				for x := range 2 * patch {
					got = append(got, answer[((c*4+y%2*2+x%2)*patch+y/2)*patch+x/2])
				}
			}
		}
		check.Close(t, got, want, 1e-4)
	}
	one, err := Teach(t.Context(), teacher, waves{2, 3}, TeachOptions{Count: count, Patch: patch, Seed: 4, Threads: 1})
	if err != nil || !slices.Equal(one.taught, l.taught) || !slices.Equal(one.lr, l.lr) {
		t.Errorf("another number of threads gives other outputs: %v", err)
	}
}

// TestTeacherOutputs wants the asked share of patches to be outputs with their
// answers, and the truth to stand for the answer of others.
func TestTeacherOutputs(t *testing.T) {
	net, err := noisy(smallSpace(2, 1), 2).Extract(smallSpace(2, 1).Largest())
	if err != nil {
		t.Fatal(err)
	}
	const patch, size = 6, 20
	l := taught(t, net, waves{2, 1}, patch, 3)
	f := newFeed(waves{2, 1}, 1, size, patch, 1, 2)
	f.teach(l, 0.5)
	known := 0
	for step := range 20 {
		b := f.take(step, step == 19)
		for i, is := range b.known {
			lr, answer := b.lr[i*36:(i+1)*36], b.taught[i*144:(i+1)*144]
			found := false
			for k := range 3 {
				if slices.Equal(l.lr[k*36:(k+1)*36], lr) {
					found = true
					if is && !slices.Equal(l.taught[k*144:(k+1)*144], answer) {
						t.Fatal("a output with another's answer")
					}
				}
			}
			if found != is {
				t.Fatalf("patch %d of step %d is a output: %v, marked: %v", i, step, found, is)
			}
			if is {
				known++
			}
		}
	}
	if known < 140 || known > 260 {
		t.Errorf("%d of 400 patches are outputs, want about half", known)
	}

	// The teacher's own network learns nothing from its answers, and what is
	// fresh it learns from the truth alone.
	for share, quiet := range map[float64]bool{1: true, 0: false} {
		tu, err := newTuner(net, l, waves{2, 1}, FineTuneOptions{Steps: 4, Batch: 4, Patch: patch, Rate: 1e-3, Distill: 1, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		tu.feed.share = share
		tu.engine.patches = tu.feed.take(0, true)
		tu.engine.gradient()
		largest := float32(0)
		for _, v := range tu.engine.opt.grad {
			largest = max(largest, v, -v)
		}
		if quiet != (largest < 1e-6) {
			t.Errorf("share %v: the gradient's largest part is %v", share, largest)
		}
	}
}

func TestTeachRefuses(t *testing.T) {
	net, err := New(smallSpace(2, 1), 2).Extract(smallSpace(2, 1).Largest())
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]TeachOptions{"count": {Count: 0, Patch: 8}, "1 to 1024": {Count: 1025, Patch: 8}, "patch": {Count: 1, Patch: 3}} {
		if _, err := Teach(t.Context(), net, waves{2, 1}, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Teach(ctx, net, waves{2, 1}, TeachOptions{Count: 3, Patch: 8}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	l := taught(t, net, waves{2, 1}, 8, 2)
	if _, err := FineTune(t.Context(), net, l, waves{2, 1}, nil, FineTuneOptions{Steps: 1, Batch: 1, Patch: 12, Rate: 1e-3, Distill: 0.5}); err == nil || !strings.Contains(err.Error(), "outputs") {
		t.Errorf("outputs of another size: %v", err)
	}
	if n := []int{TeacherOutputsFor(1, 1), TeacherOutputsFor(400, 8), TeacherOutputsFor(1e6, 16)}; !slices.Equal(n, []int{1, 400, 1024}) {
		t.Errorf("outputs for some trainings: %v", n)
	}
}
