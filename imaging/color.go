package imaging

// studio holds the rows Y, Cb and Cr of BT.601 in studio range, for R, G and B
// in [0, 1] and results in codes, without the offsets 16, 128 and 128. These are
// the digits of MATLAB's rgb2ycbcr.
func studio() [3][3]float64 {
	return [3][3]float64{
		{65.481, 128.553, 24.966},
		{-37.797, -74.203, 112},
		{112, -93.786, -18.214},
	}
}

// inverse returns the matrix inverse of m by cofactors.
func inverse(m [3][3]float64) [3][3]float64 {
	minor := func(r, c int) float64 { // signed by the cyclic order of the indices
		r1, r2, c1, c2 := (r+1)%3, (r+2)%3, (c+1)%3, (c+2)%3
		return m[r1][c1]*m[r2][c2] - m[r1][c2]*m[r2][c1]
	}
	det := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	var inv [3][3]float64
	for r := range 3 {
		for c := range 3 {
			inv[c][r] = minor(r, c) / det
		}
	}
	return inv
}

// FromRGB converts r, g and b in [0, 1] to studio Y, Cb and Cr in units of 255
// codes: Y lies in 16/255..235/255, Cb and Cr in 16/255..240/255.
func FromRGB(r, g, b float64) (y, cb, cr float64) {
	y = (16 + 65.481*r + 128.553*g + 24.966*b) / 255
	cb = (128 - 37.797*r - 74.203*g + 112*b) / 255
	cr = (128 + 112*r - 93.786*g - 18.214*b) / 255
	return y, cb, cr
}

// ToRGB is the exact inverse of FromRGB. It does not clip.
func ToRGB(y, cb, cr float64) (r, g, b float64) {
	inv := inverse(studio())
	return toRGB(&inv, y, cb, cr)
}

// toRGB is ToRGB with the inverse matrix worked out once per picture.
func toRGB(inv *[3][3]float64, y, cb, cr float64) (r, g, b float64) {
	y, cb, cr = y*255-16, cb*255-128, cr*255-128
	r = inv[0][0]*y + inv[0][1]*cb + inv[0][2]*cr
	g = inv[1][0]*y + inv[1][1]*cb + inv[1][2]*cr
	b = inv[2][0]*y + inv[2][1]*cb + inv[2][2]*cr
	return r, g, b
}
