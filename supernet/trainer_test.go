package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
	"evosr/space"
)

func options(steps int) Options {
	return Options{Steps: steps, Batch: 6, Patch: 12, Subnets: 2, Rate: 2e-3, Distill: 0.5, Seed: 7, Threads: 1}
}

func trainer(t testing.TB, src Source, o Options) *Trainer {
	t.Helper()
	tr, err := NewTrainer(New(smallSpace(2, 1), 3), src, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.feed.drop)
	return tr
}

func run(t testing.TB, tr *Trainer, steps int) (last Stats) {
	t.Helper()
	for range steps {
		var err error
		if last, err = tr.Step(); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// TestThreads wants the same bits from any number of threads.
func TestThreads(t *testing.T) {
	var want []float32
	for _, threads := range []int{1, 2, 4} {
		o := options(6)
		o.Threads = threads
		tr := trainer(t, waves{2, 1}, o)
		run(t, tr, 6)
		if want == nil {
			want = tr.net.bank.data
		} else if !slices.Equal(tr.net.bank.data, want) {
			t.Errorf("%d threads: other weights than with one", threads)
		}
	}
	if slices.Equal(want, New(smallSpace(2, 1), 3).bank.data) {
		t.Error("the weights did not move")
	}
}

// TestSandwich wants every step's gradient to be the sum of its networks' own.
func TestSandwich(t *testing.T) {
	tr := trainer(t, waves{2, 1}, options(10))
	e := tr.engine
	e.patches = tr.feed.take(0, true)
	e.gradient()
	all := slices.Clone(e.opt.grad)
	sum := make([]float32, len(all))
	for _, n := range e.nets {
		for i := range n.layers {
			l, tens := &n.layers[i], &tr.net.bank.tensors[n.refs[i]]
			if l.out > tens.out || l.in > tens.in || l.kernel != tens.k {
				t.Fatalf("layer %d of (%d, %d, %d) does not fit %+v", i, l.out, l.in, l.kernel, *tens)
			}
		}
		n.spread(e.set, tr.net.bank.tensors, sum)
	}
	check.Close(t, all, sum, 1e-6)
	// The students of the last shard were taught by the largest's output.
	w, largest := e.workers[0], e.nets[0]
	w.place(largest)
	if !slices.Equal(body(w.forward(largest, 0)), body(w.taught[0])) {
		t.Error("what was taught is not the largest's output")
	}
	if len(e.nets) != 4 || e.nets[0].distill != 0 || e.nets[1].distill != 0.5 {
		t.Errorf("%d networks, distilled by %v and %v, want 4, the largest taught by the truth alone", len(e.nets), e.nets[0].distill, e.nets[1].distill)
	}
}

// TestSubnetBatch wants every network but the largest to be trained on its own
// part of a batch, its loss a mean over that part.
func TestSubnetBatch(t *testing.T) {
	o := options(10)
	all := trainer(t, waves{2, 1}, o)
	o.SubnetBatch = 4
	part := trainer(t, waves{2, 1}, o)
	for _, tr := range []*Trainer{all, part} {
		tr.engine.patches = tr.feed.take(0, true)
		tr.engine.gradient()
	}
	seen := make([]int, o.Batch)
	for i, n := range part.engine.nets {
		for p := range o.Batch {
			want := all.engine.nets[i].losses[p]
			if i > 0 {
				want *= float64(o.Batch) / float64(o.SubnetBatch)
			}
			if n.losses[p] != 0 {
				seen[p]++
			} else if i > 0 {
				want = 0
			}
			if got := n.losses[p]; math.Abs(got-want) > 1e-6*want {
				t.Errorf("network %d, patch %d: loss %v, want %v", i, p, got, want)
			}
		}
	}
	// The largest and, of three others, two each.
	if !slices.Equal(seen, []int{3, 3, 3, 3, 3, 3}) {
		t.Errorf("patches are seen by %v networks, want 3 each", seen)
	}
}

// TestSubnetWeight wants the gradient to be the largest's and a part of the others'.
func TestSubnetWeight(t *testing.T) {
	gradient := func(weight float64) []float32 {
		o := options(10)
		o.SubnetWeight = weight
		tr := trainer(t, waves{2, 1}, o)
		tr.engine.patches = tr.feed.take(0, true)
		tr.engine.gradient()
		return tr.engine.opt.grad
	}
	none, whole, half := gradient(0), gradient(1), gradient(0.5)
	quarter := gradient(0.25)
	if !slices.Equal(none, whole) {
		t.Error("a weight of 0 is not 1")
	}
	differ := 0
	for i := range whole {
		// It is linear in the weight: from a quarter to a half is half as far as
		// from a half to all.
		if d := half[i] - quarter[i]; math.Abs(float64(2*d-(whole[i]-half[i]))) > 1e-6 {
			t.Fatalf("value %d is %v, %v and %v for a quarter, a half and all", i, quarter[i], half[i], whole[i])
		} else if d != 0 {
			differ++
		}
	}
	if differ == 0 {
		t.Error("the weight changes nothing")
	}
}

// TestDraws wants other random subnets in every step, and the same for a seed.
func TestDraws(t *testing.T) {
	tr := trainer(t, waves{2, 1}, options(50))
	seen := map[*shape]bool{}
	for tr.step = range 50 {
		for i := range tr.engine.nets {
			tr.prepare(i)
			if sh := tr.engine.nets[i].shape; i >= 2 {
				seen[sh] = true
				was := sh
				if tr.prepare(i); tr.engine.nets[i].shape != was {
					t.Fatal("a second draw of the same step differs")
				}
			}
		}
	}
	tr.step = 0
	if len(seen) < 80 {
		t.Errorf("%d subnets in 100 draws, want nearly 100", len(seen))
	}
	if a, b := tr.engine.nets[0].shape, tr.engine.nets[1].shape; a != tr.largest || b != tr.smallest {
		t.Error("the first two are not the largest and the smallest")
	}
}

// TestPool wants legal genomes, some without any pruning, some of one block and
// some of one scheme or one pruning.
func TestPool(t *testing.T) {
	rng := check.Rand(t)
	sp := smallSpace(2, 1)
	sp.Slots[1] = sp.Slots[0]
	for range 3 {
		sp.Slots = append(sp.Slots, sp.Slots[2])
	}
	pruning := regexp.MustCompile(`[a-z0-9]+@[0-9]+`)
	dense, uniform, schemes, prunings := 0, 0, 0, 0
	for i := range 240 {
		g := draw(sp, rng, i)
		if err := sp.Check(g); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(g.String(), "@") {
			dense++
		}
		var genes []space.Gene
		for _, gene := range g.Slots {
			if gene.Kind != space.Skip && !slices.Contains(genes, gene) {
				genes = append(genes, gene)
			}
		}
		if len(genes) == 1 {
			uniform++
		}
		used, ratios := map[string]bool{}, map[string]bool{}
		for _, part := range pruning.FindAllString(g.String(), -1) {
			scheme, ratio, _ := strings.Cut(part, "@")
			used[scheme], ratios[ratio] = true, true
		}
		if len(used) == 1 {
			if schemes++; len(ratios) == 1 {
				prunings++
			}
		}
	}
	if dense < 80 || uniform < 40 {
		t.Errorf("of 240 genomes %d are dense and %d of one block, want at least 80 and 40", dense, uniform)
	}
	if prunings < 25 || schemes < 45 {
		t.Errorf("of 240 genomes %d have one scheme and %d one pruning, want at least 45 and 25", schemes, prunings)
	}
}

// TestBatch wants the loss and gradient of a batch to be the mean of its
// patches', also where a shard holds several.
func TestBatch(t *testing.T) {
	rng := check.Rand(t)
	sub, err := noisy(smallSpace(2, 1), 3).Extract(smallSpace(2, 1).Largest())
	if err != nil {
		t.Fatal(err)
	}
	const batch, size = 21, 6
	engine := func(n int) *engine {
		tu, err := newTuner(sub, nil, waves{2, 1}, FineTuneOptions{Steps: 1, Batch: n, Patch: size, Rate: 1e-3, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		return tu.engine
	}
	all, one := engine(batch), engine(1)
	lr, hr := randomPlanes(rng, batch*size*size), randomPlanes(rng, batch*4*size*size)
	all.patches.lr, all.patches.hr = lr, hr
	loss := all.gradient()
	sum, want := make([]float32, len(all.opt.grad)), 0.0
	for p := range batch {
		one.patches.lr, one.patches.hr = lr[p*size*size:(p+1)*size*size], hr[p*4*size*size:(p+1)*4*size*size]
		want += one.gradient() / batch
		kernel.Best().Axpy(sum, 1.0/batch, one.opt.grad)
	}
	check.Close(t, []float64{loss}, []float64{want}, 1e-5)
	check.Close(t, all.opt.grad, sum, 1e-4)
}

// TestSpread wants a subnet's gradient at the places its weights came from, and
// nothing elsewhere.
func TestSpread(t *testing.T) {
	rng := check.Rand(t)
	s := New(smallSpace(2, 1), 3)
	for range 10 {
		r := newRunner(kernel.Best(), s, s.Space.Random(rng), 4, 4)
		check.Fill(rng, r.net.grads)
		shared := make([]float32, len(s.bank.data))
		r.net.spread(kernel.Best(), s.bank.tensors, shared)
		grads := r.net.grads
		for i := range r.net.layers {
			l := &r.net.layers[i]
			if !l.conv() {
				continue
			}
			tens := &s.bank.tensors[r.net.refs[i]]
			kk := l.kernel * l.kernel
			for o := range l.out {
				for c := range l.in {
					for k := range kk {
						at := &shared[tens.w+(o*tens.in+c)*kk+k]
						if *at != grads[(o*l.in+c)*kk+k] {
							t.Fatalf("%s (%d, %d, %d): %v, want %v", tens.name, o, c, k, *at, grads[(o*l.in+c)*kk+k])
						}
						*at = 0
					}
				}
				if at := &shared[tens.b+o]; *at != grads[l.size()+o] {
					t.Fatalf("%s bias %d: %v, want %v", tens.name, o, *at, grads[l.size()+o])
				} else {
					*at = 0
				}
			}
			grads = grads[l.size()+l.out:]
			for o := range slopesIn(l) {
				if !tens.learned {
					break
				}
				if at := &shared[tens.s+o]; *at != grads[o] {
					t.Fatalf("%s slope %d: %v, want %v", tens.name, o, *at, grads[o])
				} else {
					*at = 0
				}
			}
			grads = grads[slopesIn(l):]
		}
		for i, v := range shared {
			if v != 0 {
				t.Fatalf("value %d is %v, want 0: no layer has it", i, v)
			}
		}
	}
}

// TestResume wants a training that was saved and restored, at any step, to end
// bit for bit as one that never was: also when steps are refused, before and
// after, and go back to weights older than the saved ones.
func TestResume(t *testing.T) {
	if testing.Short() { // hundreds of steps, minutes on portable kernels: make test has them
		t.Skip("short")
	}
	path := filepath.Join(t.TempDir(), "training.safetensors")
	const steps = snapshotEvery + 20
	bad := []int{4, 9, 40, snapshotEvery + 8} // steps that are refused
	source := func(from int) Source {
		p := &poisoned{Source: waves{2, 1}}
		for _, step := range bad {
			p.patches = append(p.patches, (step-from)*6)
		}
		return p
	}
	whole := trainer(t, source(0), options(steps))
	run(t, whole, steps)
	for _, at := range []int{0, 7, 33, snapshotEvery, snapshotEvery + 5, steps} {
		first := trainer(t, source(0), options(steps))
		run(t, first, at)
		was := slices.Clone(first.engine.opt.good.weights)
		if err := first.Save(path); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(was, first.engine.opt.good.weights) {
			t.Errorf("saved at %d: Save changed what is rolled back to", at)
		}
		again := trainer(t, source(at), options(steps))
		if err := again.Restore(path); err != nil {
			t.Fatal(err)
		}
		if again.StepIndex() != at {
			t.Fatalf("restored at step %d, want %d", again.StepIndex(), at)
		}
		run(t, again, steps-at)
		parts := again.engine.opt.parts()
		for i, p := range whole.engine.opt.parts() {
			if !slices.Equal(p.data, parts[i].data) {
				t.Errorf("saved at %d: %s differs from the run that went through", at, p.name)
			}
		}
		a, b := &whole.engine.opt, &again.engine.opt
		if !slices.Equal(a.losses, b.losses) || !slices.Equal(a.norms, b.norms) {
			t.Errorf("saved at %d: what is usual differs", at)
		}
		if a.updates != b.updates || a.good.updates != b.good.updates {
			t.Errorf("saved at %d: %d and %d updates, want %d and %d", at, b.updates, b.good.updates, a.updates, a.good.updates)
		}
		if whole.factor != 1./16 || again.factor != whole.factor {
			t.Errorf("saved at %d: rate factors %v and %v, want 1/16", at, whole.factor, again.factor)
		}
		if whole.Averaged().Hash() != again.Averaged().Hash() {
			t.Errorf("saved at %d: averaged weights differ", at)
		}
	}
}

// poisoned puts a NaN into some patches, counted from its first.
type poisoned struct {
	Source
	patches []int
	every   bool
	n       int
}

func (p *poisoned) Patch(rng *rand.Rand, size int, lr, hr []float32) {
	p.Source.Patch(rng, size, lr, hr)
	if p.every || slices.Contains(p.patches, p.n) {
		lr[len(lr)/2] = float32(math.NaN())
	}
	p.n++
}

// TestGuard wants a step with a NaN to be refused, undone and told.
func TestGuard(t *testing.T) {
	tr := trainer(t, &poisoned{Source: waves{2, 1}, patches: []int{3 * 6}}, options(20))
	run(t, tr, 3)
	good := slices.Clone(tr.engine.opt.good.weights)
	s := run(t, tr, 1)
	if !s.RolledBack || s.Step != 4 || tr.factor != 0.5 {
		t.Errorf("%+v and rate factor %v, want step 4 rolled back and half the rate", s, tr.factor)
	}
	if !slices.Equal(tr.net.bank.data, good) {
		t.Error("weights are not the last good ones")
	}
	if s = run(t, tr, 1); s.RolledBack || math.IsNaN(s.Loss) {
		t.Errorf("%+v after a refused step, want a good one", s)
	}

	// A loss far beyond the usual is refused even though it is a number.
	run(t, tr, 14)
	if tr.engine.opt.update(1e3, 1e-3, 0.9) {
		t.Error("a loss of 1000 was accepted")
	}

	tr = trainer(t, &poisoned{Source: waves{2, 1}, every: true}, options(20))
	var err error
	steps := 0
	for ; err == nil && steps < 20; steps++ {
		_, err = tr.Step()
	}
	if err == nil || steps != maxRefusals || !strings.Contains(err.Error(), "in a row") {
		t.Errorf("nothing but NaN: %v after %d steps, want an error after %d", err, steps, maxRefusals)
	}
}

// TestGuardRecovers wants a lowered rate to come back after calm steps, and a
// training that explodes time and again, though never often in a row, to end.
func TestGuardRecovers(t *testing.T) {
	if testing.Short() { // hundreds of steps, minutes on portable kernels: make test has them
		t.Skip("short")
	}
	const bad = 4
	steps := bad + calmSteps
	tr := trainer(t, &poisoned{Source: waves{2, 1}, patches: []int{(bad - 1) * 6}}, options(2*steps))
	run(t, tr, steps-1)
	if tr.factor != 0.5 {
		t.Errorf("a rate factor of %v after %d calm steps, want 0.5", tr.factor, calmSteps-1)
	}
	run(t, tr, 1)
	if tr.factor != 1 {
		t.Errorf("a rate factor of %v after %d calm steps, want 1", tr.factor, calmSteps)
	}

	often := &poisoned{Source: waves{2, 1}}
	for step := 0; step < 40; step += 3 {
		often.patches = append(often.patches, step*6)
	}
	tr = trainer(t, often, options(100))
	var err error
	for err == nil {
		_, err = tr.Step()
	}
	if want := 3*8 + 1; tr.step != want || !strings.Contains(err.Error(), "although the rate") {
		t.Errorf("every third step explodes: %v after %d steps, want an error after %d", err, tr.step, want)
	}
}

// TestNoAllocation wants steps that allocate nothing after the first: of the
// whole sandwich with its random subnets, and of one fixed network.
func TestNoAllocation(t *testing.T) {
	o := options(200)
	o.Threads = 2
	src := &cached{from: waves{2, 1}}
	tr := trainer(t, src, o)
	s, err := noisy(smallSpace(2, 1), 1).Extract(tr.net.Space.Largest())
	if err != nil {
		t.Fatal(err)
	}
	tu, err := newTuner(s, nil, &cached{from: waves{2, 1}}, FineTuneOptions{Steps: 200, Batch: 6, Patch: 12, Threads: 2, Rate: 1e-3})
	if err != nil {
		t.Fatal(err)
	}
	defer tu.feed.drop()
	for name, step := range map[string]func() (Stats, error){"sandwich": tr.Step, "fixed": tu.advance} {
		// The runtime itself now and then needs a goroutine more than it has
		// free, so a few runs may; a step that allocates would always.
		if n := testing.AllocsPerRun(100, func() {
			if _, err := step(); err != nil {
				t.Fatal(err)
			}
		}); n >= 1 {
			t.Errorf("%s: %v allocations a step, want none", name, n)
		}
	}
}

// TestLearns trains a tiny supernet and wants it to beat its bicubic start, the
// largest network and a pruned one.
func TestLearns(t *testing.T) {
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{8}, Schemes: []network.Scheme{network.Block4}, Percents: []int{25, 50},
		Slots: []space.Slot{{Skip: true, Blocks: space.Blocks{space.Wide: {2}, space.Plain: {1}}}, {Blocks: space.Blocks{space.Wide: {2}, space.Lean: space.Once()}}}}
	start := New(sp, 1)
	o := Options{Steps: 250, Batch: 4, Patch: 16, Subnets: 1, Rate: 5e-3, Distill: 0.3, Seed: 1}
	tr, err := NewTrainer(start, waves{2, 1}, o)
	if err != nil {
		t.Fatal(err)
	}
	run(t, tr, o.Steps)
	pruned := sp.Largest()
	for i := range pruned.Slots {
		for j := range pruned.Slots[i].Kind.Convs() {
			pruned.Slots[i].Prune[j] = network.Prune{Scheme: network.Block4, Percent: 50}
		}
	}
	for name, g := range map[string]space.Genome{"largest": sp.Largest(), "pruned": pruned} {
		before, after := meanSquare(t, start, g), meanSquare(t, tr.Averaged(), g)
		gain := 10 * math.Log10(before/after)
		t.Logf("%s: %.2f dB over the start", name, gain)
		if !(gain > 3) {
			t.Errorf("%s: %.2f dB over the start, want more than 3", name, gain)
		}
	}
}

// meanSquare is the error of a genome's network on patches it never saw.
func meanSquare(t *testing.T, s *Supernet, g space.Genome) float64 {
	sub, err := s.Extract(g)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1234, 5))
	const size = 16
	lr, hr := make([]float32, size*size), make([]float32, 4*size*size)
	sum := 0.0
	for range 8 {
		waves{2, 1}.Patch(rng, size, lr, hr)
		for i, v := range Reference(sub, lr, size, size) {
			sum += float64(v-hr[i]) * float64(v-hr[i])
		}
	}
	return sum
}

func TestOptionsAreChecked(t *testing.T) {
	o := Options{Steps: 0, Batch: 0, Patch: 1, Subnets: -1, SubnetBatch: 1, SubnetWeight: 2, Rate: math.NaN(), Distill: 2}
	_, err := NewTrainer(New(smallSpace(2, 1), 1), waves{2, 1}, o)
	if err == nil {
		t.Fatal("no error")
	}
	for _, what := range []string{"steps", "batch", "patch", "subnets", "patches of a subnet", "rate", "distill"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%v does not name %s", err, what)
		}
	}
	tr := trainer(t, waves{2, 1}, options(1))
	run(t, tr, 1)
	if _, err := tr.Step(); err == nil {
		t.Error("a step beyond the last: no error")
	}
}

// TestPruned wants the asked number of random subnets to be the largest
// architecture, pruned.
func TestPruned(t *testing.T) {
	o := options(40)
	o.LargestPruned = 1
	tr := trainer(t, waves{2, 1}, o)
	plain := func(sh *shape) string {
		text := ""
		for i := range sh.layers {
			l := &sh.layers[i]
			text += fmt.Sprint(l.name, l.in, l.out, l.kernel, " ")
		}
		return text
	}
	want, masked, others := plain(tr.largest), 0, 0
	for tr.step = range 40 {
		for i := 2; i < 4; i++ {
			tr.prepare(i)
			n := tr.engine.nets[i]
			same := plain(n.shape) == want
			if i == 2 && !same {
				t.Fatalf("step %d: the pruned largest network is %s, want %s", tr.step, plain(n.shape), want)
			}
			if i == 3 && !same {
				others++
			}
			if i == 2 && slices.ContainsFunc(n.layers, func(l layer) bool { return l.mask != nil }) {
				masked++
			}
		}
	}
	tr.step = 0
	if masked < 25 || others < 25 {
		t.Errorf("in 40 steps %d largest networks were pruned and %d others drawn, want most", masked, others)
	}
	o.LargestPruned = 3
	if _, err := NewTrainer(New(smallSpace(2, 1), 3), waves{2, 1}, o); err == nil || !strings.Contains(err.Error(), "2 subnets") {
		t.Errorf("more pruned networks than subnets: %v", err)
	}
}

// TestOne wants a space of one network to be trained as one.
func TestOne(t *testing.T) {
	tr, err := NewTrainer(New(benchSpace(), 1), waves{2, 1}, options(3))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.feed.drop()
	if s := run(t, tr, 1); len(tr.engine.nets) != 1 || s.Loss == 0 {
		t.Errorf("%d networks, %+v, want one", len(tr.engine.nets), s)
	}
}
