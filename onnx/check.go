package onnx

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// mapEntry is what an entry of a map costs at most, in bytes: key, value, and
// the empty places of a table that is filled to 7/16 at worst.
const mapEntry = 112

// Where a value comes from, if not from the node of that index.
const (
	fromInput       = -1
	fromInitializer = -2
)

// check makes sure that names are unique, that every node reads only what was
// defined before it, and that the outputs exist.
func (g *graph) check(mem *memory) error {
	if len(g.nodes) == 0 {
		return errors.New("no nodes, want at least one")
	}
	if len(g.outputs) == 0 {
		return errors.New("no outputs, want at least one")
	}
	names := len(g.inputs) + len(g.initializers)
	for i := range g.nodes {
		names += len(g.nodes[i].outputs)
	}
	if err := mem.take(names, mapEntry, "values"); err != nil {
		return err
	}
	from := make(map[string]int, names)
	if err := g.define(from); err != nil {
		return err
	}
	if err := g.sort(mem, from); err != nil {
		return err
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		for _, name := range n.inputs {
			if name == "" {
				continue // an optional input left out
			}
			src, has := from[name]
			switch {
			case !has:
				return fmt.Errorf("%s: input %s is not defined", n.where(i), quote(name))
			case src == i:
				return fmt.Errorf("%s: reads its own output %s", n.where(i), quote(name))
			case src > i:
				return g.misplaced(mem, from, i, src, name)
			}
		}
	}
	return g.checkInfos(mem, from)
}

// where names a node for an error.
func (n *node) where(i int) string {
	return fmt.Sprintf("node %d %s (%s)", i, quote(n.name), quote(n.op))
}

// define fills from with the origin of every value.
func (g *graph) define(from map[string]int) error {
	for i := range g.inputs {
		name := g.inputs[i].name
		if name == "" {
			return fmt.Errorf("input %d has no name", i)
		}
		if _, has := from[name]; has {
			return fmt.Errorf("input %d %s: the name is taken", i, quote(name))
		}
		from[name] = fromInput
	}
	for i := range g.initializers {
		name := g.initializers[i].name
		if name == "" {
			return fmt.Errorf("initializer %d has no name", i)
		}
		// Before IR version 4 every initializer was an input too.
		if src, has := from[name]; has && src != fromInput {
			return fmt.Errorf("initializer %d %s: the name is taken", i, quote(name))
		}
		from[name] = fromInitializer
	}
	for i := range g.nodes {
		made := 0
		for _, name := range g.nodes[i].outputs {
			if name == "" {
				continue // an optional output left out
			}
			if _, has := from[name]; has {
				return fmt.Errorf("%s: output %s: the name is taken", g.nodes[i].where(i), quote(name))
			}
			from[name] = i
			made++
		}
		if made == 0 {
			return fmt.Errorf("%s: no output, want at least one", g.nodes[i].where(i))
		}
	}
	return nil
}

// sort puts nodes that read later ones behind those, and leaves the order of the
// others; nodes on a cycle stay where they are, which misplaced tells.
func (g *graph) sort(mem *memory, from map[string]int) error {
	behind := func(i int, name string) bool { j, has := from[name]; return has && name != "" && j > i }
	if !slices.ContainsFunc(indicesOf(g.nodes), func(i int) bool {
		return slices.ContainsFunc(g.nodes[i].inputs, func(name string) bool { return behind(i, name) })
	}) {
		return nil
	}
	if err := mem.take(len(g.nodes), unsafe.Sizeof(node{})+48, "nodes"); err != nil {
		return err
	}
	const waiting, entered, placed = 0, 1, 2
	state := make([]byte, len(g.nodes))
	order := make([]int, 0, len(g.nodes))
	stack := make([]int, 0, len(g.nodes)) // each node is on it at most once
	for i := range g.nodes {
		if state[i] != waiting {
			continue
		}
		stack, state[i] = append(stack, i), entered
		for len(stack) > 0 {
			top, pushed := stack[len(stack)-1], false
			for _, name := range g.nodes[top].inputs {
				j, has := from[name]
				if !has || name == "" || j < 0 || state[j] == placed {
					continue
				}
				if state[j] == entered {
					return nil // a cycle
				}
				stack, state[j], pushed = append(stack, j), entered, true
				break
			}
			if !pushed {
				stack, state[top] = stack[:len(stack)-1], placed
				order = append(order, top)
			}
		}
	}
	sorted := make([]node, 0, len(g.nodes))
	for to, i := range order {
		sorted = append(sorted, g.nodes[i])
		for _, name := range g.nodes[i].outputs {
			if name != "" {
				from[name] = to
			}
		}
	}
	g.nodes = sorted
	return nil
}

func indicesOf(nodes []node) []int {
	list := make([]int, len(nodes))
	for i := range list {
		list[i] = i
	}
	return list
}

// misplaced says why node i reads from the later node src: because they lie on
// a cycle, or only because the nodes are out of order.
func (g *graph) misplaced(mem *memory, from map[string]int, i, src int, name string) error {
	if err := mem.take(len(g.nodes), 9, "nodes"); err != nil {
		return err
	}
	seen := make([]bool, len(g.nodes))
	stack := make([]int, 0, len(g.nodes)) // each node is on it at most once
	push := func(j int) {
		if !seen[j] {
			seen[j] = true
			stack = append(stack, j)
		}
	}
	for push(src); len(stack) > 0 && !seen[i]; {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, in := range g.nodes[top].inputs {
			if j, has := from[in]; has && j >= 0 && in != "" {
				push(j)
			}
		}
	}
	n := &g.nodes[i]
	if seen[i] {
		return fmt.Errorf("%s: input %s comes from %s, which needs this node first: a cycle", n.where(i), quote(name), g.nodes[src].where(src))
	}
	return fmt.Errorf("%s: input %s comes from %s, want nodes in an order in which they can run", n.where(i), quote(name), g.nodes[src].where(src))
}

// checkInfos makes sure that outputs and value infos name values that exist,
// each once.
func (g *graph) checkInfos(mem *memory, from map[string]int) error {
	for _, list := range []struct {
		what  string
		infos []valueInfo
	}{{"output", g.outputs}, {"value info", g.infos}} {
		if err := mem.take(len(list.infos), mapEntry, "value infos"); err != nil {
			return err
		}
		seen := make(map[string]bool, len(list.infos))
		for i := range list.infos {
			name := list.infos[i].name
			_, defined := from[name]
			switch {
			case name == "" || !defined && list.what == "output":
				return fmt.Errorf("%s %d %s is not defined", list.what, i, quote(name))
			case seen[name]:
				return fmt.Errorf("%s %d %s is given twice", list.what, i, quote(name))
			}
			seen[name] = true
		}
	}
	return nil
}
