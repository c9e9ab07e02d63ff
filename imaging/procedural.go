package imaging

import "context"

// Procedural draws picture index of the endless series that seed names.
func Procedural(seed uint64, index, size int) *Plane { panic("imaging: Procedural: being written") }

// ProceduralSet draws pictures 0..n-1 in parallel.
func ProceduralSet(ctx context.Context, seed uint64, n, size, workers int) ([]*Plane, error) {
	panic("imaging: ProceduralSet: being written")
}
