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

// Gene is what one slot holds. As many entries of Prune count as its Kind has
// Convs.
type Gene struct {
	Kind      Kind
	Expansion float64                 // hidden channels / trunk width; 0 where the kind has none
	Prune     [MaxConvs]network.Prune // one for each convolution of the block, in order

	Activation Activation // ReLU for Skip
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
		writePrunes(&b, s.Prune[:len(s.Kind.Convs())])
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
			var rest string
			var known bool
			if s.Kind, rest, known = parseKind(name); !known {
				return bad("block", name, fmt.Sprintf("one of %v", append([]Kind{Skip}, Kinds()...)))
			}
			rest, word, has := strings.Cut(rest, ":")
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
			if len(prunes) != 0 && len(prunes) != len(s.Kind.Convs()) {
				return bad("prunings", part, fmt.Sprintf("%d", len(s.Kind.Convs())))
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
		if ps = append(ps, p); len(ps) > MaxConvs {
			return nil, fmt.Errorf("space: genome: prunings: %q, want at most %d", list, MaxConvs)
		}
	}
	return ps, nil
}
