package status

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// said is what the agent has written, line by line, see agent.StatusFile. A
// line is a word, a name, and keys and values in turn.
type said struct {
	at    time.Duration // since boot
	lines [][]string
	stale bool // the agent could not write another one since
	agent agent
}

// maxSaid bounds what is read, in bytes.
const maxSaid = 64 << 10

// readReport reads the agent's report, or the last one that it could write.
func readReport(path string) said {
	if _, err := os.Stat(path); err == nil {
		return readSaid(path)
	}
	s := readSaid(path + ".stale")
	s.stale = len(s.lines) > 0
	return s
}

func readSaid(path string) said {
	b, err := os.ReadFile(path)
	if err != nil || len(b) > maxSaid {
		return said{}
	}
	return parseSaid(string(b))
}

func parseSaid(text string) said {
	var s said
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "since-boot":
			s.at = number(f[1])
		case len(f) > 3 && f[2] == "cause":
			_, quoted, _ := strings.Cut(strings.TrimSpace(line), " cause ")
			if cause, err := strconv.Unquote(quoted); err == nil {
				s.lines = append(s.lines, []string{f[0], f[1], "cause", plain(cause)})
			}
		case len(f) > 2:
			s.lines = append(s.lines, f)
		}
	}
	return s
}

// plain takes out what a terminal would obey.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// number reads seconds.
func number(text string) time.Duration {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n > 1e9 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// values reads the keys of a line from its third word on.
func values(line []string) map[string]string {
	v := map[string]string{}
	for i := 2; i+1 < len(line); i += 2 {
		v[line[i]] = line[i+1]
	}
	return v
}

// rows are what the agent says of a session.
func (s said) rows(sid string, now time.Duration) []row {
	var rows []row
	var portals, causes []string
	for _, line := range s.lines {
		if line[0] != "session" || line[1] != sid {
			continue
		}
		v := values(line)
		switch {
		case v["portal"] != "":
			portals = append(portals, v["portal"])
		case v["waits"] != "":
			if left := number(v["waits"]) - max(0, now-s.at); left > 0 {
				rows = append(rows, row{"waits", "for " + seconds(left) + " before the next login"})
			}
		case line[2] == "cause" && len(line) > 3:
			causes = append(causes, line[3])
		case v["timer"] != "", v["disk"] != "":
			rows = append(rows, disk(v, now-s.at))
		case v["state"] != "":
			if s.stale {
				rows = append(rows, row{"old", "what follows is as it was " + seconds(max(0, now-s.at)) + " ago"})
			}
			rows = append(rows, row{"kept by", s.keptBy(v["owner"])}, row{"outages", outages(v)})
			if v["state"] == "down" {
				rows = append(rows, row{"down", "for " + seconds(number(v["down"])+max(0, now-s.at))})
			}
		}
	}
	if len(portals) > 0 {
		rows = append(rows, row{"tried at", strings.Join(portals, ", ")})
	}
	for _, c := range causes {
		rows = append(rows, row{"because", c})
	}
	return rows
}

// disk is a row about a session's disks, or the time that they wait.
func disk(v map[string]string, later time.Duration) row {
	if name := v["disk"]; name != "" {
		return row{"disk", fmt.Sprintf("%s answers every command with an error for %s: see the target's log", name, seconds(number(v["errors-for"])+max(0, later)))}
	}
	times := "once"
	if n := v["put-back"]; n != "1" {
		times = n + " times"
	}
	return row{"timer", fmt.Sprintf("recovery_tmo put back to %s s %s after %s: blacklist the disk in multipath.conf", v["timer"], times, v["by"])}
}

func outages(v map[string]string) string {
	if v["outages"] == "0" {
		return "none so far"
	}
	return fmt.Sprintf("%s, the longest %s", v["outages"], seconds(number(v["longest"])))
}

// replaced are the lines about processes of the agent's that were replaced.
func (s said) replaced(now time.Duration) []string {
	var out []string
	for _, line := range s.lines {
		if line[0] != "agent" {
			continue
		}
		v := values(line)
		why := "it did not run any more" // stuck
		switch v["reason"] {
		case "ended":
			why = "it had ended"
		case "stopped":
			why = "it was stopped"
		}
		times := "once"
		if v["replaced"] != "1" {
			times = v["replaced"] + " times, the last time"
		}
		out = append(out, "its "+line[1]+" was replaced "+times+" "+seconds(max(0, now-number(v["at"])))+" ago: "+why)
	}
	return out
}

// network are the lines about links and leases.
func (s said) network(now time.Duration) []string {
	var out []string
	for _, line := range s.lines {
		v := values(line)
		switch line[0] {
		case "link":
			out = append(out, linkText(line[1], v))
		case "lease":
			text := fmt.Sprintf("lease of %s: from %s, ends in %s", line[1], v["from"], seconds(number(v["ends"])-now))
			if renew := number(v["renew"]) - now; renew > 0 {
				text += ", is renewed in " + seconds(renew)
			}
			out = append(out, text)
		}
	}
	return out
}

// linkText tells of a link which addresses it has now, and what the boot gave it
// where that is something else.
func linkText(name string, v map[string]string) string {
	text := fmt.Sprintf("network %s (%s)", name, v["mac"])
	if v["place"] != "" {
		text += ", port of " + v["place"]
	}
	gave := v["address"] + ", " + v["by"]
	switch now := v["now"]; now {
	case "", v["address"]:
		text += ": " + gave
	case "-":
		text += ": no address; from the boot: " + gave
	default:
		all := strings.Split(now, ",")
		for i := range all {
			if all[i] == v["temporary"] {
				all[i] += " (temporary)"
			}
		}
		text += ": " + strings.Join(all, ", ") + "; from the boot: " + gave
	}
	if v["state"] != "there" {
		text += ", " + v["state"]
	}
	if n := v["put-back"]; n != "0" {
		text += ", put back " + n + " times"
	}
	return text
}
