package stat

import "slices"

// Quantile is the q-quantile of a list, q in [0, 1], interpolated between values;
// 0 of none. The list stays as it is.
func Quantile[T ~float64 | ~int64](list []T, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	at := q * float64(len(s)-1)
	i := min(int(at), len(s)-1)
	j := min(i+1, len(s)-1)
	return float64(s[i]) + (at-float64(i))*float64(s[j]-s[i])
}

// Median is the middle of a list, the mean of two where their number is even; 0
// of none. The list stays as it is.
func Median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}
