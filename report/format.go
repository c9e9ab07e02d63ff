package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

func decibel(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

func ssim(x float64) string { return strconv.FormatFloat(x, 'f', 4, 64) }

// signed writes a difference with its sign, a true minus included.
func signed(x float64) string {
	if math.Signbit(x) && math.Round(-x*100) > 0 {
		return "−" + decibel(-x)
	}
	return "+" + decibel(math.Abs(x))
}

// milliseconds writes three digits.
func milliseconds(x float64) string {
	switch {
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case x >= 0.9995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// rate writes the frames a second of a frame time in milliseconds.
func rate(ms float64) string {
	if ms <= 0 {
		return "?"
	}
	return count(int(1000/ms + 0.5))
}

// count writes an integer with thin spaces between thousands.
func count(n int) string {
	s := strconv.Itoa(n)
	if n < 0 {
		return "−" + count(-n)
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// short writes a large number with three digits and k, M, G or T.
func short(x float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if x >= u.size*0.9995 {
			return strconv.FormatFloat(x/u.size, 'g', 3, 64) + u.name
		}
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// size writes bytes in kB and MB of 1000.
func size(n int64) string {
	switch {
	case n >= 999_500:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

func percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 0, 64) + " %" }

func joinInts(list []int) string {
	var parts []string
	for _, n := range list {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ", ")
}
