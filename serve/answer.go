package serve

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"evosr/report"
)

// policy lets a page load what this server has, and nothing from elsewhere. Charts
// set styles on their elements; no style sheet or script stands in a page.
const policy = "default-src 'none'; script-src 'self'; style-src-elem 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// refuse says no. Nothing of the request is repeated.
func refuse(w http.ResponseWriter, code int, why string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, "evosr: "+why+"\n") // a client that is gone needs no answer
}

// answer checks a request and sends it where it belongs.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !s.ours(r.Host) {
		refuse(w, http.StatusForbidden, "this address has another host's name")
		return
	}
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host {
		refuse(w, http.StatusForbidden, "the request comes from another page")
		return
	}
	// A link in a mail or a chat may lead here; a page elsewhere may not ask.
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		refuse(w, http.StatusForbidden, "the request comes from another page")
		return
	}
	token, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if !s.knows(token) || !ok {
		refuse(w, http.StatusForbidden, "open the address that evosr serve printed, with its token")
		return
	}
	s.route(w, r, rest)
}

// ours says whether a Host is a name of this server. A page elsewhere can make its
// own name lead to this machine, but not a number or localhost.
func (s *Server) ours(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return s.open || ip.IsLoopback()
	}
	name = strings.ToLower(name)
	if name == "localhost" {
		return true
	}
	asked, _, _ := net.SplitHostPort(s.o.Listen)
	own, err := os.Hostname()
	return s.open && name != "" && (name == strings.ToLower(asked) || err == nil && name == strings.ToLower(own))
}

func (s *Server) knows(token string) bool {
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// route is the table of addresses below the token.
func (s *Server) route(w http.ResponseWriter, r *http.Request, path string) {
	if path == "run/" || strings.HasPrefix(path, "run/") {
		number, part, ok := strings.Cut(strings.TrimPrefix(path, "run/"), "/")
		i, err := strconv.Atoi(number)
		if !ok || err != nil || strconv.Itoa(i) != number || i < 0 || i >= len(s.runs) {
			refuse(w, http.StatusNotFound, "there is no such page")
			return
		}
		home := ""
		if len(s.runs) > 1 {
			home = "../../"
		}
		s.run(w, r, s.runs[i], part, report.Links{Assets: "../../asset/", Events: "events", Try: "try", Home: home})
		return
	}
	if name, ok := strings.CutPrefix(path, "asset/"); ok {
		if allowed(w, r, http.MethodGet) {
			asset(w, name)
		}
		return
	}
	switch {
	case path == "" && len(s.runs) == 1, path == "events" && len(s.runs) == 1, path == "try" && len(s.runs) == 1:
		s.run(w, r, s.runs[0], path, report.Links{Assets: "asset/", Events: "events", Try: "try"})
	case path == "":
		if allowed(w, r, http.MethodGet) {
			s.all(w)
		}
	case path == "events":
		if allowed(w, r, http.MethodGet) {
			s.streamAll(w, r)
		}
	case path == "compare" && s.o.Compare != nil:
		if allowed(w, r, http.MethodGet) {
			s.compare(w)
		}
	default:
		refuse(w, http.StatusNotFound, "there is no such page")
	}
}

// run serves the parts of one run's page.
func (s *Server) run(w http.ResponseWriter, r *http.Request, f *followed, part string, links report.Links) {
	switch part {
	case "":
		if allowed(w, r, http.MethodGet) {
			f.fresh()
			page(w, func(to io.Writer) error { return f.Page(to, links) })
		}
	case "events":
		if allowed(w, r, http.MethodGet) {
			s.stream(w, r, f)
		}
	case "try":
		if allowed(w, r, http.MethodPost) {
			s.try(w, r, f)
		}
	default:
		refuse(w, http.StatusNotFound, "there is no such page")
	}
}

func allowed(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method || method == http.MethodGet && r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", method)
	refuse(w, http.StatusMethodNotAllowed, "this address takes "+method)
	return false
}

// page sends HTML, whole or not at all.
func page(w http.ResponseWriter, write func(io.Writer) error) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}

func asset(w http.ResponseWriter, name string) {
	text, kind, err := report.Asset(name)
	if err != nil {
		refuse(w, http.StatusNotFound, "there is no such file")
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // a client that is gone needs no answer
}

// all is the page of several runs over each other.
func (s *Server) all(w http.ResponseWriter) {
	runs := s.summaries()
	compare := ""
	if s.o.Compare != nil {
		compare = "compare"
	}
	page(w, func(to io.Writer) error {
		return report.WriteRuns(to, runs, report.Links{Assets: "asset/", Events: "events"}, compare)
	})
}

func (s *Server) summaries() []report.Run {
	names := map[string]int{}
	for _, f := range s.runs {
		f.fresh()
		names[f.Name()]++
	}
	list := []report.Run{}
	for _, f := range s.runs {
		r := f.Run()
		if names[r.Name] > 1 {
			r.Name = f.Dir()
		}
		list = append(list, r)
	}
	return list
}

func (s *Server) compare(w http.ResponseWriter) {
	text, err := s.o.Compare(s.o.Dirs)
	if err != nil {
		text, _ = json.Marshal(map[string]string{"error": err.Error()}) // a string is always JSON
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that is gone needs no answer
}
