package supernet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
	"evosr/network"
)

// foreign builds networks that no space has, node by node.
type foreign struct {
	*network.Graph
	rng *rand.Rand
}

func (f *foreign) node(n network.Node) int {
	n.Name = fmt.Sprintf("node%d", len(f.Nodes))
	f.Nodes = append(f.Nodes, n)
	return len(f.Nodes) - 1
}

func (f *foreign) conv(from, out, kernel, groups int) int {
	r := kernel / 2
	n := network.Node{Op: network.OpConv, Inputs: []int{from}, Out: out, Kernel: kernel, Groups: groups, Pad: [4]int{r, r, r, r}}
	if from == network.Picture {
		n.Border = network.Edge
	}
	at := f.node(n)
	to, in := &f.Nodes[at], f.Reads(at)
	to.Weights, to.Bias = make([]float32, to.Size(in)), make([]float32, out)
	for i := range to.Weights {
		to.Weights[i] = float32(f.rng.NormFloat64() / math.Sqrt(float64(in/groups*kernel*kernel)))
	}
	for i := range to.Bias {
		to.Bias[i] = float32(f.rng.NormFloat64()) / 4
	}
	return at
}

func (f *foreign) act(from int, act network.Act) int {
	return f.node(network.Node{Op: network.OpActivate, Inputs: []int{from}, Act: act})
}

func (f *foreign) two(op network.Op, a, b int) int {
	return f.node(network.Node{Op: op, Inputs: []int{a, b}})
}

// foreignNets are networks of every operation that training knows, by name.
var foreignNets = map[string]func(f *foreign) int{
	"depthwise": func(f *foreign) int {
		return f.conv(f.act(f.conv(f.conv(network.Picture, 6, 3, 1), 6, 3, 6), network.ActReLU), 6, 1, 1)
	},
	"groups": func(f *foreign) int {
		return f.conv(f.act(f.conv(f.conv(network.Picture, 8, 3, 1), 4, 3, 2), network.ActSiLU), 6, 1, 1)
	},
	"a gate of its own input": func(f *foreign) int {
		a := f.conv(network.Picture, 6, 3, 1)
		return f.conv(f.two(network.OpMul, a, f.act(f.conv(a, 6, 1, 1), network.ActSigmoid)), 6, 3, 1)
	},
	"a gate of one channel": func(f *foreign) int {
		a := f.conv(network.Picture, 6, 3, 1)
		one := f.act(f.node(network.Node{Op: network.OpSlice, Inputs: []int{a}, From: 2, Out: 1}), network.ActSigmoid)
		return f.two(network.OpMul, one, f.conv(a, 6, 3, 1))
	},
	"squares, differences and sums of two that are read": func(f *foreign) int {
		a, b := f.conv(network.Picture, 6, 3, 1), f.conv(network.Picture, 6, 5, 1)
		c := f.two(network.OpAdd, f.two(network.OpMul, a, a), f.two(network.OpSub, a, b))
		return f.two(network.OpAdd, f.two(network.OpAdd, c, f.act(b, network.ActTanh)), f.conv(c, 6, 1, 1))
	},
	"activations that stand alone": func(f *foreign) int {
		a := f.conv(network.Picture, 6, 3, 1)
		b := f.node(network.Node{Op: network.OpConcat, Inputs: []int{f.act(a, network.ActReLU), f.act(a, network.ActGELU), f.act(a, network.ActSiLU)}})
		return f.conv(b, 6, 3, 1)
	},
	"concatenation with the picture, and slices": func(f *foreign) int {
		a := f.act(f.conv(network.Picture, 5, 3, 1), network.ActReLU)
		b := f.node(network.Node{Op: network.OpConcat, Inputs: []int{a, network.Picture, a}})
		c := f.node(network.Node{Op: network.OpSlice, Inputs: []int{b}, From: 3, Out: 6})
		return f.two(network.OpAdd, f.conv(b, 6, 3, 1), f.node(network.Node{Op: network.OpAffine, Inputs: []int{c}, Gain: []float32{0.5}, Bias: []float32{0.1}}))
	},
	"attention at a low resolution": func(f *foreign) int {
		a := f.act(f.conv(network.Picture, 6, 3, 1), network.ActReLU)
		low := f.node(network.Node{Op: network.OpMaxPool, Inputs: []int{a}, Kernel: 4, Stride: 4})
		low = f.act(f.conv(f.act(f.conv(low, 8, 3, 1), network.ActSiLU), 6, 3, 1), network.ActSigmoid)
		low = f.two(network.OpAdd, low, f.conv(low, 6, 1, 1))
		high := f.node(network.Node{Op: network.OpResize, Inputs: []int{low, a}, Interp: network.Linear})
		return f.two(network.OpAdd, f.two(network.OpMul, high, a), f.conv(a, 6, 3, 1))
	},
	"means of windows": func(f *foreign) int {
		a := f.conv(network.Picture, 6, 3, 1)
		low := f.node(network.Node{Op: network.OpAvgPool, Inputs: []int{a}, Kernel: 5, Stride: 3, Pad: [4]int{1, 0, 2, 1}})
		low = f.conv(f.node(network.Node{Op: network.OpAvgPool, Inputs: []int{low}, Kernel: 3, Pad: [4]int{1, 1, 1, 1}, Counted: true}), 6, 3, 1)
		return f.two(network.OpAdd, f.conv(a, 6, 3, 1), f.node(network.Node{Op: network.OpResize, Inputs: []int{low, a}, Interp: network.Linear}))
	},
	"a pyramid": func(f *foreign) int {
		a := f.conv(network.Picture, 6, 3, 1)
		low := f.conv(f.node(network.Node{Op: network.OpMaxPool, Inputs: []int{a}, Kernel: 3, Stride: 2, Pad: [4]int{1, 1, 1, 1}}), 6, 3, 1)
		return f.two(network.OpAdd, f.conv(a, 6, 3, 1), f.node(network.Node{Op: network.OpResize, Inputs: []int{low, a}, Interp: network.Nearest}))
	},
}

// foreignNet is a network of the table, of colors planes and twice as large.
func foreignNet(t *testing.T, rng *rand.Rand, name string, colors int) *network.Graph {
	t.Helper()
	f := &foreign{&network.Graph{Scale: 2, Colors: colors}, rng}
	at := foreignNets[name](f)
	f.node(network.Node{Op: network.OpShuffle, Inputs: []int{f.conv(at, 4*colors, 3, 1)}, Factor: 2})
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	return f.Graph
}

// TestForeignGradients holds the output and the gradients of networks of every
// operation against their definition and its finite differences.
func TestForeignGradients(t *testing.T) {
	for name := range foreignNets {
		for _, colors := range []int{1, 3} {
			for _, set := range kernel.Sets() {
				if colors == 3 && set.Name != kernel.Best().Name {
					continue // the rules know nothing of colours
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, colors, set.Name), func(t *testing.T) {
					rng := check.Rand(t)
					g := foreignNet(t, rng, name, colors)
					const w, h = 12, 8
					lr, d := randomPlanes(rng, colors*w*h), randomPlanes(rng, 4*colors*w*h)
					ls := mustLayers(g)
					b, sh, masks := bankOf(ls)
					r := newRunnerOf(set, sh, b, masks, 2, colors, w, h)
					r.w.load(0, lr, nil, 2)
					out := r.w.forward(r.net, 0)
					want, err := g.Reference(lr, w, h)
					if err != nil {
						t.Fatal(err)
					}
					check.Close(t, shuffled(out, 2), want, 1e-5)

					// The loss is a sum of outputs, weighted by d, unshuffled.
					exact := wide(lr)
					loss := func() float64 {
						pix, err := g.Evaluate(exact, w, h)
						if err != nil {
							t.Fatal(err)
						}
						sum := 0.0
						for ch := range 4 * colors {
							c, i, j := ch/4, ch/2%2, ch%2
							for y := range h {
								for x := range w {
									sum += float64(d[(ch*h+y)*w+x]) * pix[((c*h+y)*2+i)*2*w+2*x+j]
								}
							}
						}
						return sum
					}
					got, at := r.gradients(d), 0
					for i := range ls.list {
						l := &ls.list[i]
						if !l.conv() {
							continue
						}
						n := &g.Nodes[l.node]
						structure := l.structure()
						from := 0
						for j := range l.size() {
							if structure != nil && structure[j] == 0 {
								if got[at+j] != 0 {
									t.Fatalf("%s: a weight between groups moves by %v", l.name, got[at+j])
								}
								continue
							}
							if k := from; rng.IntN(l.size()) < 4 {
								slope(t, fmt.Sprintf("%s weight %d", l.name, k), &n.Weights[k], loss, got[at+j])
							}
							from++
						}
						at += l.size()
						for o := range n.Bias {
							if rng.IntN(len(n.Bias)) >= 2 {
								continue
							}
							slope(t, fmt.Sprintf("%s bias %d", l.name, o), &n.Bias[o], loss, got[at+o])
						}
						at += l.out
					}
				})
			}
		}
	}
}

// slope holds a gradient against a central difference. Where a kink lies within
// the step, halves of it disagree, and nothing is said.
func slope(t *testing.T, what string, v *float32, loss func() float64, got float32) {
	t.Helper()
	was := *v
	middle := loss()
	difference := func(step float32) (all, right float64) {
		*v = was + step
		up, above := loss(), float64(*v)
		*v = was - step
		down, below := loss(), float64(*v)
		*v = was
		return (up - down) / (above - below), (up - middle) / (above - float64(was))
	}
	want, right := difference(1.0 / 1024)
	finer, finerRight := difference(1.0 / 4096)
	size := math.Max(1, math.Abs(want))
	if math.Abs(want-finer) > 1e-4*size || math.Abs(finer-finerRight) > 2e-2*size || math.Abs(right-want) > 5e-2*size {
		return
	}
	if math.Abs(float64(got)-finer) > 1e-3*size {
		t.Errorf("%s: gradient %v, want %v", what, got, finer)
	}
}

// TestForeignTuning trains networks of every operation as they are, without an
// allocation in a step, to the same bits at any number of threads.
func TestForeignTuning(t *testing.T) {
	for name := range foreignNets {
		t.Run(name, func(t *testing.T) {
			rng := check.Rand(t)
			g := foreignNet(t, rng, name, 1)
			var first *network.Graph
			for _, threads := range []int{1, 3} {
				o := FineTuneOptions{Steps: 12, Batch: 4, Patch: 16, Rate: 1e-3, Seed: 1, Threads: threads}
				tuned, err := FineTune(t.Context(), g, nil, waves{2, 1}, nil, o)
				if err != nil {
					t.Fatal(err)
				}
				if err := tuned.Validate(); err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = tuned
				}
				moved := false
				for i := range tuned.Nodes {
					n, was, same := &tuned.Nodes[i], &g.Nodes[i], &first.Nodes[i]
					for j, v := range n.Weights {
						moved = moved || v != was.Weights[j]
						if v != same.Weights[j] {
							t.Fatalf("%s: weight %d is %v with %d threads, %v with one", n.Name, j, v, threads, same.Weights[j])
						}
					}
				}
				if !moved {
					t.Error("nothing moved")
				}
			}
			tune, err := newTuner(g, nil, waves{2, 1}, FineTuneOptions{Steps: 50, Batch: 2, Patch: 16, Rate: 1e-3, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer tune.feed.drop()
			advance := func() {
				if _, err := tune.advance(); err != nil {
					t.Fatal(err)
				}
			}
			advance()
			if n := testing.AllocsPerRun(10, advance); n > 0 {
				t.Errorf("%v allocations a step, want none", n)
			}
		})
	}
}
