package sparse

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"evosr/internal/half"
	"evosr/network"
)

// A program file (.evosr) holds the network as passes that know no device left
// it; blocks, lists and memory are chosen anew by the device that reads it. All
// numbers are little endian, text is UTF-8 after a 32 bit length in bytes.
//
//	bytes  what
//	8      magic: 89 'E' 'V' 'O' 'S' 'R' 0D 0A
//	4      version: 3; older ones are read
//	4      CRC-32C of everything from byte 24 on
//	8      number of bytes from byte 24 on
//
//	1      type of the weights: 0 float32, 1 float16
//	1      scale, 1 to 8
//	1      colors, 1 or 3
//	1      0
//	8 8 8  before elimination: parameters, kept MACs, dense MACs a pixel; not in version 2
//	4      entries of metadata, then for each, keys ascending: key, value
//	4      nodes, then each: see file_graph.go; version 1 has layers, see file_layers.go
//
// Equal programs give equal bytes: a mask that keeps everything is not written,
// and the decoder refuses what the encoder would write otherwise.
const (
	magic         = "\x89EVOSR\r\n"
	versionLayers = 1 // of our own networks alone
	versionGraph  = 2 // of any, before elimination
	version       = 3
	headBytes     = 24

	typeFloat32 = 0
	typeFloat16 = 1
)

// Bounds of a file, checked before anything is allocated for what they bound.
const (
	maxText    = 1 << 20 // bytes of a name, key or value
	maxEntries = 1 << 12 // of metadata
	maxFile    = 1 << 30
	spareBytes = 48 << 20 // memory for expanded weights beyond 4 times the file
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode writes p as a program file, its weights as float16 when it comes from
// Half.
func Encode(w io.Writer, p *Program) error {
	e := &encoder{buf: make([]byte, headBytes), half: p.c.half}
	e.put(e.weightType(), byte(p.c.net.scale), byte(p.c.net.colors), 0)
	for _, n := range []int{p.c.params, p.c.kept, p.c.dense} {
		e.uint64(uint64(n))
	}
	keys := make([]string, 0, len(p.meta))
	for k := range p.meta {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if len(keys) > maxEntries {
		return fmt.Errorf("sparse: program file: %d entries of metadata, want at most %d", len(keys), maxEntries)
	}
	e.uint32(uint32(len(keys)))
	for _, k := range keys {
		e.text("metadata", k)
		e.text("metadata", p.meta[k])
	}
	e.graph(p.c.graph)
	if e.err == nil && len(e.buf) > maxFile {
		e.fail("%d bytes, want at most %d", len(e.buf), maxFile)
	}
	if e.err != nil {
		return fmt.Errorf("sparse: program file: %w", e.err)
	}
	b := binary.LittleEndian
	copy(e.buf, magic)
	b.PutUint32(e.buf[8:], version)
	b.PutUint32(e.buf[12:], crc32.Checksum(e.buf[headBytes:], castagnoli))
	b.PutUint64(e.buf[16:], uint64(len(e.buf)-headBytes))
	_, err := w.Write(e.buf)
	return err
}

// encoder appends values to buf and keeps the first fault.
type encoder struct {
	buf  []byte
	half bool // weights are float16
	err  error
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) weightType() byte {
	if e.half {
		return typeFloat16
	}
	return typeFloat32
}

func (e *encoder) put(b ...byte)   { e.buf = append(e.buf, b...) }
func (e *encoder) uint32(v uint32) { e.buf = binary.LittleEndian.AppendUint32(e.buf, v) }
func (e *encoder) uint64(v uint64) { e.buf = binary.LittleEndian.AppendUint64(e.buf, v) }
func (e *encoder) float(v float32) { e.uint32(math.Float32bits(v)) }

func (e *encoder) text(what, s string) {
	if len(s) > maxText || !utf8.ValidString(s) {
		e.fail("%s %.40q: %d bytes, want UTF-8 of at most %d", what, s, len(s), maxText)
	}
	e.uint32(uint32(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) floats(of string, list []float32) {
	for _, v := range list {
		if notFinite(v) {
			e.fail("%q has a weight that is not a number, want all finite", of)
			return
		}
		e.float(v)
	}
}

// maskBytes is the mask as bits: lowest bit first, the last byte filled with 0.
func (e *encoder) mask(mask []uint8) {
	bits := make([]byte, (len(mask)+7)/8)
	for i, m := range mask {
		if m != 0 {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	e.put(bits...)
}

// weights writes those that the mask keeps.
func (e *encoder) weights(of string, list []float32, mask []uint8) {
	for i, v := range list {
		if mask != nil && mask[i] == 0 {
			continue
		}
		if notFinite(v) {
			e.fail("%q has a weight that is not a number, want all finite", of)
			return
		}
		if e.half {
			e.buf = binary.LittleEndian.AppendUint16(e.buf, half.Of(v))
		} else {
			e.float(v)
		}
	}
}

func notFinite(v float32) bool { return v-v != 0 }

// Decode reads a program file and compiles it with default Options.
func Decode(r io.Reader) (*Program, error) { return DecodeFor(r, Options{}) }

// DecodeFor is Decode with Options. It allocates at most 8 times the file's
// size and 64 MiB, whatever the file says.
func DecodeFor(r io.Reader, o Options) (*Program, error) {
	set, err := o.set()
	if err != nil {
		return nil, err
	}
	c, meta, err := decode(r)
	if err != nil {
		return nil, fmt.Errorf("sparse: program file: %w", err)
	}
	p, err := finish(c, set, o)
	if err != nil {
		return nil, err
	}
	p.meta = meta
	return p, nil
}

func decode(r io.Reader) (*compiled, map[string]string, error) {
	format, data, err := readFile(r)
	if err != nil {
		return nil, nil, err
	}
	d := &decoder{data: data, budget: 4*int64(len(data)) + spareBytes}
	types, scale, colors, zero := d.byte(), d.byte(), d.byte(), d.byte()
	if types > typeFloat16 || zero != 0 {
		d.fail("weights of type %d and %d, want 0 (float32) or 1 (float16), and 0", types, zero)
	}
	d.half = types == typeFloat16
	var counts [3]int
	if format != versionGraph {
		counts = [3]int{d.count(), d.count(), d.count()}
	}
	meta := map[string]string{}
	last := ""
	for i := range d.size("entries of metadata", maxEntries, 8) {
		key := d.text()
		if i > 0 && key <= last {
			d.fail("metadata: key %q after %q, want ascending", key, last)
		}
		last = key
		meta[key] = d.text()
	}
	g := &network.Graph{Scale: int(scale), Colors: int(colors), Genome: meta["genome"]}
	if format == versionLayers {
		d.layers(g)
	} else {
		d.graph(g, format)
	}
	if d.err == nil && len(d.data) > 0 {
		d.fail("%d bytes after the last node, want none", len(d.data))
	}
	if d.err == nil {
		d.err = g.Validate()
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	c := &compiled{params: counts[0], kept: counts[1], dense: counts[2], half: d.half}
	if format == versionGraph {
		c.params = g.Params()
		c.kept, c.dense = g.MACs()
		g = g.Eliminate()
	}
	return c.reduce(g, int(d.budget/16)), meta, nil
}

// readFile checks the head and the checksum, and returns what follows.
func readFile(r io.Reader) (format uint32, data []byte, err error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("shorter than its head of %d bytes: %w", headBytes, err)
	}
	if string(head[:8]) != magic {
		return 0, nil, fmt.Errorf("starts with %q, want %q", head[:8], magic)
	}
	b := binary.LittleEndian
	if format = b.Uint32(head[8:]); format < versionLayers || format > version {
		return 0, nil, fmt.Errorf("version %d, want %d to %d", format, versionLayers, version)
	}
	size := b.Uint64(head[16:])
	if size > maxFile {
		return 0, nil, fmt.Errorf("says it has %d bytes, want at most %d", size, maxFile)
	}
	// The length is only believed as far as bytes follow: the buffer doubles.
	data = make([]byte, 0, min(int(size), 1<<20))
	for len(data) < int(size) {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(int(size), 2*cap(data))), data...)
		}
		n, err := io.ReadFull(r, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil {
			return 0, nil, fmt.Errorf("ends after %d of %d bytes: %w", len(data), size, err)
		}
	}
	if n, err := io.ReadFull(r, head[:1]); n > 0 {
		return 0, nil, fmt.Errorf("goes on after the %d bytes it says it has", size)
	} else if err != io.EOF {
		return 0, nil, err
	}
	if got, want := crc32.Checksum(data, castagnoli), b.Uint32(head[12:]); got != want {
		return 0, nil, fmt.Errorf("checksum %08x, want %08x: the file is damaged", got, want)
	}
	return format, data, nil
}

// decoder takes values off the front of data. After the first fault it returns
// zeros.
type decoder struct {
	data   []byte
	half   bool  // weights are float16
	budget int64 // bytes that may still be allocated
	err    error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
		d.data = nil
	}
}

// take returns the next n bytes, or nil.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.data) {
		d.fail("ends within a value of %d bytes", n)
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count is a number of weights.
func (d *decoder) count() int {
	n := d.uint64()
	if n > 1<<40 {
		d.fail("a count of %d, want at most 2^40", n)
		return 0
	}
	return int(n)
}

// size is a number of things that take at least the given bytes each.
func (d *decoder) size(what string, most, each int) int {
	n := int(d.uint32())
	if n > most || n*each > len(d.data) {
		d.fail("%d %s, want at most %d and no more than the file holds", n, what, most)
		return 0
	}
	return n
}

func (d *decoder) text() string {
	n := d.uint32()
	if n > maxText {
		d.fail("a text of %d bytes, want at most %d", n, maxText)
		return ""
	}
	s := string(d.take(int(n)))
	if !utf8.ValidString(s) {
		d.fail("text %.40q, want UTF-8", s)
	}
	return s
}

func (d *decoder) floats(dst []float32) {
	b := d.take(4 * len(dst))
	if b == nil {
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if notFinite(dst[i]) {
			d.fail("a weight is %v, want a finite number", dst[i])
			return
		}
	}
}

// allow takes bytes off the budget, for what is named.
func (d *decoder) allow(name string, weights, bytes int64) bool {
	if d.budget -= bytes; d.budget < 0 {
		d.fail("%q: %d weights, far more than a file of this size should expand to", name, weights)
	}
	return d.err == nil
}

// weights reads n weights, those that a mask keeps when one follows.
func (d *decoder) weights(name string, n int, masked bool) (weights []float32, mask []uint8) {
	width := 4
	if d.half {
		width = 2
	}
	if !masked && n > len(d.data)/width {
		d.fail("%q: ends within its %d weights", name, n)
	}
	if !d.allow(name, int64(n), 5*int64(n)) {
		return nil, nil
	}
	var bits []byte
	if masked {
		if bits = d.take((n + 7) / 8); bits == nil {
			return nil, nil
		}
		if n%8 != 0 && bits[len(bits)-1]>>(n%8) != 0 {
			d.fail("%q: the mask goes on after its last weight", name)
			return nil, nil
		}
		mask = make([]uint8, n)
	}
	weights = make([]float32, n)
	all := true
	for i := range weights {
		if masked {
			if mask[i] = bits[i/8] >> (i % 8) & 1; mask[i] == 0 {
				all = false
				continue
			}
		}
		b := d.take(width)
		if b == nil {
			return nil, nil
		}
		if d.half {
			weights[i] = half.From(binary.LittleEndian.Uint16(b))
		} else {
			weights[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		}
		if notFinite(weights[i]) {
			d.fail("%q: a weight is %v, want a finite number", name, weights[i])
			return nil, nil
		}
	}
	if masked && all {
		d.fail("%q: a mask that keeps everything, want none", name)
	}
	return weights, mask
}
