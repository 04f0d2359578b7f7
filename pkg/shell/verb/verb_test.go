package verb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run runs a verb in a directory with input and returns what it writes.
func run(t *testing.T, dir, in string, words ...string) (string, error) {
	t.Helper()
	for _, v := range All() {
		if v.Name == words[0] {
			var out strings.Builder
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := v.Run(ctx, &Call{Name: v.Name, Args: words[1:], Dir: dir, In: strings.NewReader(in), Out: &out, Err: &out})
			return out.String(), err
		}
	}
	t.Fatalf("no verb %s", words[0])
	return "", nil
}

// tree makes a directory with files.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "a1"), []byte("one\ntwo\nthree"), 0o640),
		os.WriteFile(filepath.Join(dir, "a2"), []byte("Two words\n\n"), 0o755),
		os.MkdirAll(filepath.Join(dir, "b", "in"), 0o755),
		os.WriteFile(filepath.Join(dir, "b", "in", "deep"), []byte("deep\n"), 0o644),
		os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o644),
		os.Symlink("a1", filepath.Join(dir, "link")),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestText(t *testing.T) {
	dir := tree(t)
	for _, tt := range []struct{ command, in, want, err string }{
		{"cat a1 - a2", "mid\n", "one\ntwo\nthreemid\nTwo words\n\n", ""},
		{"cat", "in", "in", ""},
		{"cat none a2", "", "Two words\n\n", "no such file"},
		{"cat -x", "", "", "unknown option -x"},
		{"head -n 2 a1", "", "one\ntwo\n", ""},
		{"head -1", "x\ny\n", "x\n", ""},
		{"head -n 0 a1", "", "", ""},
		{"head -n -1 a1", "", "", "not a number of lines"},
		{"head -n", "", "", "needs a value"},
		{"tail -n1 a1", "", "three\n", ""},
		{"tail", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n", "2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n", ""},
		{"wc a1 a2", "", "2 3 13 a1\n2 2 11 a2\n", ""},
		{"wc -l", "a\nb\n", "2\n", ""},
		{"sort", "b\na\nb\n", "a\nb\nb\n", ""},
		{"sort -ru", "b\na\nb\n", "b\na\n", ""},
		{"sort -n", "10 x\n9\n-1\nx\n", "-1\nx\n9\n10 x\n", ""},
		{"grep two a1 a2", "", "a1:two\n", ""},
		{"grep -i two a1 a2", "", "a1:two\na2:Two words\n", ""},
		{"grep -hin T[wh] a1 a2", "", "2:two\n3:three\n1:Two words\n", ""},
		{"grep -c o a1", "", "2\n", ""},
		{"grep -l o a1 a2", "", "a1\na2\n", ""},
		{"grep -v o a1", "", "three\n", ""},
		{"grep -F [ a1", "", "", "status 1"},
		{"grep [ a1", "", "", "error parsing regexp"},
		{"grep -q one a1", "", "", ""},
		{"grep", "", "", "needs a pattern"},
		{"grep -rh ee b", "", "deep\n", ""},
		{"grep -e -v", "a -v\n", "a -v\n", ""},
		{"hexdump -n 3", "abcdef", "00000000  61 62 63                                          |abc|\n", ""},
		{"hexdump -C -s 11 a1", "", "00000000  65 65                                             |ee|\n", ""},
		{"hexdump -s 2", "abc", "00000000  63                                                |c|\n", ""},
		{"hexdump -n x", "", "", "not a number of bytes"},
		{"more a1", "", "one\ntwo\nthree", ""},
		{"less", "x", "x", ""},
	} {
		got, err := run(t, dir, tt.in, strings.Fields(tt.command)...)
		checkErr(t, tt.command, err, tt.err)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.command, got, tt.want)
		}
	}
}

// checkErr checks for an error with a text, or none.
func checkErr(t *testing.T, what string, err error, want string) {
	t.Helper()
	if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error is %v, want %q", what, err, want)
	}
}

func TestFiles(t *testing.T) {
	dir := tree(t)
	for _, tt := range []struct{ command, want, err string }{
		{"ls", "a1\na2\nb\nlink\n", ""},
		{"ls -a .", ".hidden\na1\na2\nb\nlink\n", ""},
		{"ls -d b a1", "b\na1\n", ""},
		{"ls a1 b", "a1\nb:\nin\n", ""},
		{"ls -R b", "b:\nin\n\nb/in:\ndeep\n", ""},
		{"ls none", "", "no such file"},
		{"cp a1 copy", "", ""},
		{"cat copy", "one\ntwo\nthree", ""},
		{"cp a1 a2 b", "", ""},
		{"ls b", "a1\na2\nin\n", ""},
		{"cp a1 a1", "", "are the same file"},
		{"cp b c", "", "is a directory: use -a"},
		{"cp -a b b/in", "", "is inside of"},
		{"cp -r b c", "", ""},
		{"find c -type f", "c/a1\nc/a2\nc/in/deep\n", ""},
		{"cp -a link c", "", ""},
		{"ls -l c/link", "-> a1\n", ""},
		{"cp a1 a2 copy", "", "is not a directory"},
		{"cp a1", "", "needs a source and a target"},
		{"mv copy d", "", ""},
		{"mv d a2 c", "", ""},
		{"ls c", "a1\na2\nd\nin\nlink\n", ""},
		{"mkdir b", "", "file exists"},
		{"mkdir -p b/x/y", "", ""},
		{"rm b", "", "is a directory: use -r"},
		{"rm -rf b none", "", ""},
		{"rm none", "", "no such file"},
		{"rm -rf /", "", "/ cannot be removed"},
		{"touch new link", "", ""},
		{"ln -s new soft", "", ""},
		{"ln a1 hard", "", ""},
		{"ln a1", "", "needs a target"},
		{"find . -maxdepth 1 -name [ns]*", "./new\n./soft\n", ""},
		{"find -type l", "./c/link\n./link\n./soft\n", ""},
		{"find . -type x", "", "type is one of"},
		{"find . -name [", "", "syntax error in pattern"},
		{"find . -maxdepth", "", "needs a value"},
		{"find . -exec x", "", "unknown option"},
	} {
		got, err := run(t, dir, "", strings.Fields(tt.command)...)
		checkErr(t, tt.command, err, tt.err)
		if strings.Contains(tt.command, "-l ") {
			got = got[max(0, len(got)-len(tt.want)):]
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.command, got, tt.want)
		}
	}
}

func TestSystem(t *testing.T) {
	for _, tt := range []struct{ command, want, err string }{
		{"uname", "Linux\n", ""},
		{"uname -sr", "Linux ", ""},
		{"date", " UTC 2", ""},
		{"date -s noon", "", "write it as"},
		{"sleep 0.01", "", ""},
		{"sleep x", "", "not a number of seconds"},
		{"sleep", "", "needs a number"},
		{"free", "available\nmem ", ""},
		{"df /", " /\n", ""},
		{"ps", "verb.test", ""},
		{"kill", "", "needs a process"},
		{"kill -NOPE 2", "", "unknown signal NOPE"},
		{"kill -9 1", "", "process 1 boots"},
		{"kill -9 -1", "", "process 1 boots"},
		{"kill x", "", "is not a process"},
		{"kill -0 4194305", "", "no such process"},
		{"mount", " on / type ", ""},
		{"mount x", "", "needs a device and a directory"},
		{"umount", "", "needs a directory"},
		{"lsmod", "module", ""},
		{"modprobe", "", "needs a module"},
		{"insmod", "", "needs a file"},
		{"insmod none.ko", "", "no such file"},
		{"ip", "lo: <LOOPBACK", ""},
		{"ip -4 a s lo", "inet 127.0.0.1/8 scope host", ""},
		{"ip link show nope0", "", "Link not found"},
		{"ip link set lo", "", "ip link set DEV"},
		{"ip addr add 10.0.0.300/24 dev lo", "", "not an address with a length"},
		{"ip addr add 10.0.0.3/24", "", "ip addr add|del"},
		{"ip route add 10.0.0.0/33 dev lo", "", "not a network"},
		{"ip route add default via x", "", "x is not an address"},
		{"ip lunch", "", "unknown command: ip lunch show"},
		{"ping", "", "needs one address"},
		{"ping -c x ::1", "", "not a number"},
		{"ping -c 1 -W 1 127.0.0.1", "answered 1 of 1", ""},
		{"ping -c 1 -W 1 ::1", "answered 1 of 1", ""},
	} {
		got, err := run(t, "/", "", strings.Fields(tt.command)...)
		checkErr(t, tt.command, err, tt.err)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q in it", tt.command, got, tt.want)
		}
	}
}

// A verb ends with its context, however much there is to read.
func TestContext(t *testing.T) {
	for _, words := range [][]string{{"cat", "/dev/zero"}, {"sleep", "1000"}, {"ping", "-c", "1000", "127.0.0.1"}, {"grep", "-r", "x", "/proc/self/task"}} {
		for _, v := range All() {
			if v.Name != words[0] {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			began := time.Now()
			err := v.Run(ctx, &Call{Name: v.Name, Args: words[1:], Dir: "/", In: strings.NewReader(""), Out: discard{}, Err: discard{}})
			cancel()
			if d := time.Since(began); d > 10*time.Second || err == nil && words[0] != "grep" {
				t.Errorf("%q ended after %v with %v", words, d, err)
			}
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Every verb has the texts of help, and a unique name.
func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range All() {
		if v.Name == "" || v.Help == "" || v.Group == "" || v.Run == nil || seen[v.Name] {
			t.Errorf("verb %+v", v)
		}
		seen[v.Name] = true
	}
}

func TestParsers(t *testing.T) {
	if got := formatRecord("6,339,5140900,-;NET: Registered\n SUBSYSTEM=net\n"); got != "[    5.140900] NET: Registered" {
		t.Errorf("record is %q", got)
	}
	if got := formatRecord("garbage"); got != "" {
		t.Errorf("record is %q", got)
	}
	p, ok := parseStat("7 (a) b) S 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 42 4096 3 184 1")
	if !ok || p.parent != 2 || p.state != "S" || p.command != "[a) b]" || p.kib != int64(3*os.Getpagesize()>>10) {
		t.Errorf("process is %+v, %v", p, ok)
	}
	for _, bad := range []string{"", ")(", "1 (x) S 2"} {
		if _, ok := parseStat(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
	if got := modeString(os.ModeDir | os.ModeSticky | 0o777); got != "drwxrwxrwt" {
		t.Errorf("mode is %s", got)
	}
	if got := modeString(os.ModeSetuid | 0o644); got != "-rwSr--r--" {
		t.Errorf("mode is %s", got)
	}
	b := echoRequest(false, 7, 1)
	if checksum(b) != 0 || isReply(b, 7, 1) {
		t.Errorf("request is % x", b)
	}
}

// fakeTerminal presses keys.
type fakeTerminal struct {
	keys string
}

func (*fakeTerminal) Size() (int, int) { return 4, 3 }

func (f *fakeTerminal) Key(context.Context) (byte, error) {
	if f.keys == "" {
		return 'q', nil
	}
	k := f.keys[0]
	f.keys = f.keys[1:]
	return k, nil
}

func TestMore(t *testing.T) {
	for _, tt := range []struct{ keys, want string }{
		{"q", "1\n2\n"},
		{" q", "1\n2\n3\n4\n"},
		{"\rq", "1\n2\n3\n"},
		{"jbq", "1\n2\n3\n1\n2\n"},
		{"Gq", "1\n2\nlong\ner\n"},
		{"  ", "1\n2\n3\n4\nlong\ner\n"},
		{" kgq", "1\n2\n3\n4\n2\n3\n1\n2\n"},
	} {
		var out strings.Builder
		v := moreVerb("more")
		err := v.Run(t.Context(), &Call{In: strings.NewReader("1\n2\n3\n4\nlonger\n"), Out: &out, Terminal: &fakeTerminal{tt.keys}})
		var shown strings.Builder
		for line := range strings.Lines(out.String()) {
			if i := strings.LastIndex(line, "\x1b[K"); i >= 0 {
				line = line[i+3:]
			}
			shown.WriteString(line)
		}
		if err != nil || shown.String() != tt.want {
			t.Errorf("%q: shown %q, want %q, %v", tt.keys, shown.String(), tt.want, err)
		}
	}
}

func TestColumns(t *testing.T) {
	if got := Columns([]string{"a", "bbb", "c"}, 11); got != "a    bbb\nc\n" {
		t.Errorf("got %q", got)
	}
	if got := Columns([]string{"long"}, 1); got != "long\n" {
		t.Errorf("got %q", got)
	}
}
