package main

// target is a platform that a release is built for.
type target struct {
	os, arch string
	tags     string // of the build
	variant  string // what the name says of tags
	deb      bool   // with a Debian package
}

// targets are all platforms of a release, in the order of its files.
var targets = []target{
	{os: "linux", arch: "amd64", deb: true},
	{os: "linux", arch: "arm64", deb: true},
	{os: "linux", arch: "arm64", tags: "slim", variant: "-slim"},
	{os: "darwin", arch: "amd64"},
	{os: "darwin", arch: "arm64"},
	{os: "windows", arch: "amd64"},
	{os: "windows", arch: "arm64"},
}

func (t target) name() string { return t.os + "-" + t.arch + t.variant }

func (t target) suffix() string {
	if t.os == "windows" {
		return ".exe"
	}
	return ""
}

// env are the variables that point the Go toolchain at the target; what the
// caller set for its own builds does not count.
func (t target) env() []string {
	return []string{"GOOS=" + t.os, "GOARCH=" + t.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT="}
}

// shells are those that evosr writes completions for: the name of its
// subcommand, the file's name in an archive and where Debian wants it.
var shells = []struct{ name, file, debian string }{
	{"bash", "evosr.bash", "/usr/share/bash-completion/completions/evosr"},
	{"zsh", "_evosr", "/usr/share/zsh/vendor-completions/_evosr"},
	{"fish", "evosr.fish", "/usr/share/fish/vendor_completions.d/evosr.fish"},
	{"powershell", "evosr.ps1", ""},
}
