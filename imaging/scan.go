package imaging

import (
	"encoding/binary"
	"io"
	"iter"
)

// scanner goes through a file's parts in order. After the end take gives nil.
type scanner struct {
	src      io.ReaderAt
	at, size int64
	buf      [16]byte
	window   []byte // a piece of the file, from the byte windowAt on
	windowAt int64
}

// take returns the next n bytes, at most 16, which are valid until the next call.
func (s *scanner) take(n int) []byte {
	if s.at > s.size-int64(n) {
		return nil
	}
	if s.at < s.windowAt || s.at+int64(n) > s.windowAt+int64(len(s.window)) {
		s.window = append(s.window[:0], make([]byte, min(4096, s.size-s.at))...)
		got, _ := s.src.ReadAt(s.window, s.at)
		s.window, s.windowAt = s.window[:got], s.at
		if got < n {
			return nil
		}
	}
	copy(s.buf[:n], s.window[s.at-s.windowAt:])
	s.at += int64(n)
	return s.buf[:n]
}

func (s *scanner) skip(n int64) { s.at += n }

// maxBlock bounds a block of metadata, bytes: larger ones are passed over.
const maxBlock = 16 << 20

// block returns n bytes at the offset at, nil unless they are there and few.
func block(src io.ReaderAt, size, at, n int64) []byte {
	if n < 0 || n > maxBlock || at < 0 || at > size-n {
		return nil
	}
	b := make([]byte, n)
	if _, err := src.ReadAt(b, at); err != nil && err != io.EOF {
		return nil
	}
	return b
}

// part is a named piece of a file.
type part struct {
	name  string
	at, n int64 // its contents
}

// pngParts goes through the chunks of a PNG, up to the pixels; later ones of
// metadata are found, too, because their writers may put them behind.
func pngParts(src io.ReaderAt, size int64) iter.Seq[part] {
	return chunks(src, size, 8, func(b []byte) (string, int64, int64) {
		n := int64(binary.BigEndian.Uint32(b))
		return string(b[4:8]), n, n + 4
	})
}

// webpParts goes through the chunks of a RIFF file.
func webpParts(src io.ReaderAt, size int64) iter.Seq[part] {
	return chunks(src, size, 12, func(b []byte) (string, int64, int64) {
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		return string(b[:4]), n, n + n&1
	})
}

// maxParts bounds how many chunks are looked at.
const maxParts = 1 << 20

// chunks goes through parts that begin with 8 bytes, of which head makes the name,
// the length and the way to the next.
func chunks(src io.ReaderAt, size, from int64, head func([]byte) (string, int64, int64)) iter.Seq[part] {
	return func(yield func(part) bool) {
		s := &scanner{src: src, at: from, size: size}
		for range maxParts {
			b := s.take(8)
			if b == nil {
				return
			}
			name, n, step := head(b)
			if !yield(part{name, s.at, min(n, size-s.at)}) {
				return
			}
			s.skip(step)
		}
	}
}

// pngFrames reads the number of frames that an APNG promises before its pixels.
func pngFrames(src io.ReaderAt, size int64) int {
	for p := range pngParts(src, size) {
		switch p.name {
		case "acTL":
			if b := block(src, size, p.at, 4); p.n >= 8 && b != nil {
				return int(min(binary.BigEndian.Uint32(b), 1<<30))
			}
		case "IDAT":
			return 1
		}
	}
	return 1
}

// webpFrames counts the frames of an animated WebP, up to two. A single frame in
// an animation counts as two: the decoder does not read it either.
func webpFrames(src io.ReaderAt, size int64) int {
	for p := range webpParts(src, size) {
		switch p.name {
		case "VP8 ", "VP8L":
			return 1
		case "ANIM", "ANMF":
			return 2
		}
	}
	return 1
}
