package space

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"evosr/network"
)

// Gene is what one slot holds. Convs says how many entries of Prune count.
type Gene struct {
	Kind      Kind
	Expansion float64          // hidden channels / trunk width; 0 for Skip and Lean
	Prune     [3]network.Prune // one for each convolution of the block, in order

	Activation Activation // ReLU for Skip
}

// Convs is the number of convolutions of a block of kind k.
func (k Kind) Convs() int {
	switch k {
	case Wide:
		return 3
	case Plain:
		return 2
	case Lean:
		return 1
	}
	return 0
}

// kernels gives the filter sides of a block's convolutions.
func (k Kind) kernels() []int {
	switch k {
	case Wide:
		return []int{1, 1, 3}
	case Plain:
		return []int{3, 3}
	case Lean:
		return []int{3}
	}
	return nil
}

// Genome names one network of a Space. Two genomes with the same String are
// the same network.
type Genome struct {
	Width      int // trunk channels
	Slots      []Gene
	Head, Tail network.Prune
}

// Clone returns a copy that shares nothing with g.
func (g Genome) Clone() Genome {
	g.Slots = slices.Clone(g.Slots)
	return g
}

// ID is a short content hash of the genome: 12 hexadecimal digits.
func (g Genome) ID() string {
	sum := sha256.Sum256([]byte(g.String()))
	return hex.EncodeToString(sum[:6])
}

// String gives the canonical text of a genome, which ParseGenome reads, such as
//
//	w16;head;wide4=block4@50,dense,block8@75;skip;lean:silu=filter@25;tail=block4@50
//
// ReLU is not written.
func (g Genome) String() string {
	var b strings.Builder
	b.WriteString("w" + strconv.Itoa(g.Width) + ";head")
	writePrunes(&b, []network.Prune{g.Head})
	for _, s := range g.Slots {
		b.WriteByte(';')
		b.WriteString(s.Kind.String())
		if s.Expansion != 0 {
			b.WriteString(strconv.FormatFloat(s.Expansion, 'g', -1, 64))
		}
		if s.Activation != ReLU {
			b.WriteString(":" + s.Activation.String())
		}
		writePrunes(&b, s.Prune[:s.Kind.Convs()])
	}
	b.WriteString(";tail")
	writePrunes(&b, []network.Prune{g.Tail})
	return b.String()
}

func writePrunes(b *strings.Builder, ps []network.Prune) {
	if !slices.ContainsFunc(ps, func(p network.Prune) bool { return p.Scheme != network.Dense }) {
		return // all dense: nothing to say
	}
	for i, p := range ps {
		b.WriteByte("=,"[min(i, 1)])
		b.WriteString(p.Scheme.String())
		if p.Scheme != network.Dense {
			b.WriteString("@" + strconv.Itoa(p.Percent))
		}
	}
}

// ParseGenome reads what Genome.String writes. Whether the genome belongs to a
// space is for Space.Check to say.
func ParseGenome(text string) (Genome, error) {
	var g Genome
	bad := func(what, got, want string) (Genome, error) {
		return Genome{}, fmt.Errorf("space: genome: %s: %q, want %s", what, got, want)
	}
	parts := strings.Split(text, ";")
	if len(parts) < 3 || len(parts) > MaxSlots+3 {
		return bad("parts", text, "width;head;slots...;tail")
	}
	w, ok := strings.CutPrefix(parts[0], "w")
	width, err := strconv.Atoi(w)
	if !ok || err != nil || width < 1 || width > MaxWidth {
		return bad("width", parts[0], "w and the trunk's channels")
	}
	g.Width = width
	for i, part := range parts[1:] {
		name, list, _ := strings.Cut(part, "=")
		prunes, err := parsePrunes(list)
		if err != nil {
			return Genome{}, err
		}
		switch {
		case i == 0 || i == len(parts)-2:
			want, dst := "head", &g.Head
			if i > 0 {
				want, dst = "tail", &g.Tail
			}
			if name != want || len(prunes) > 1 {
				return bad(want, part, want+" with at most one pruning")
			}
			if len(prunes) == 1 {
				*dst = prunes[0]
			}
		default:
			var s Gene
			k := slices.IndexFunc(kindNames[:], func(n string) bool { return strings.HasPrefix(name, n) })
			if k < 0 {
				return bad("block", name, fmt.Sprintf("one of %v", kindNames))
			}
			s.Kind = Kind(k)
			rest, word, has := strings.Cut(name[len(kindNames[k]):], ":")
			if has {
				if s.Activation, err = ParseActivation(word); err != nil || s.Kind == Skip {
					return bad("activation", name, fmt.Sprintf("one of %v behind a block", Activations()))
				}
			}
			if rest != "" {
				e, err := strconv.ParseFloat(rest, 64)
				if err != nil || !(e > 0 && e <= MaxExpansion) {
					return bad("expansion", rest, "a number above 0")
				}
				s.Expansion = e
			}
			if len(prunes) != 0 && len(prunes) != s.Kind.Convs() {
				return bad("prunings", part, fmt.Sprintf("%d", s.Kind.Convs()))
			}
			copy(s.Prune[:], prunes)
			g.Slots = append(g.Slots, s)
		}
	}
	return g, nil
}

func parsePrunes(list string) ([]network.Prune, error) {
	if list == "" {
		return nil, nil
	}
	var ps []network.Prune
	for item := range strings.SplitSeq(list, ",") {
		name, percent, has := strings.Cut(item, "@")
		s, err := network.ParseScheme(name)
		if err != nil {
			return nil, err
		}
		p := network.Prune{Scheme: s}
		if has != (s != network.Dense) {
			return nil, fmt.Errorf("space: genome: pruning: %q, want dense or scheme@percent", item)
		}
		if has {
			if p.Percent, err = strconv.Atoi(percent); err != nil || p.Percent < 1 || p.Percent > network.MaxPercent {
				return nil, fmt.Errorf("space: genome: pruning: %q, want 1 to %d percent", item, network.MaxPercent)
			}
		}
		if ps = append(ps, p); len(ps) > 3 {
			return nil, fmt.Errorf("space: genome: prunings: %q, want at most 3", list)
		}
	}
	return ps, nil
}
