package sparse

import "evosr/space"

// readers lists for every layer the layers that read it, as input or added.
func readers(net *space.Subnet) [][]int {
	list := make([][]int, len(net.Layers))
	for i := range net.Layers {
		l := &net.Layers[i]
		if l.Src >= 0 {
			list[l.Src] = append(list[l.Src], i)
		}
		if l.Add >= 0 && l.Add != l.Src {
			list[l.Add] = append(list[l.Add], i)
		}
	}
	return list
}

// sink moves every layer that reads only the picture and has one reader to just
// before that reader: the global skip then runs beside the tail, and its output
// need not outlive a band. It reorders from alike.
func sink(net *space.Subnet, from []source) *space.Subnet {
	n := len(net.Layers)
	before := make([][]int, n) // layers to put before this one
	moved := make([]bool, n)
	for i, rs := range readers(net) {
		l := &net.Layers[i]
		if l.Src == space.Picture && l.Add == space.None && len(rs) == 1 && !moved[rs[0]] {
			before[rs[0]], moved[i] = append(before[rs[0]], i), true
		}
	}
	var order []int
	for i := range n {
		order = append(order, before[i]...)
		if !moved[i] {
			order = append(order, i)
		}
	}
	place := make([]int, n)
	for to, i := range order {
		place[i] = to
	}
	out := *net
	out.Layers = make([]space.Layer, n)
	was := append([]source(nil), from...)
	for to, i := range order {
		l := net.Layers[i]
		if l.Src >= 0 {
			l.Src = place[l.Src]
		}
		if l.Add >= 0 {
			l.Add = place[l.Add]
		}
		out.Layers[to], from[to] = l, was[i]
	}
	return &out
}
