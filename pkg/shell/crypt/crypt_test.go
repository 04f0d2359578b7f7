package crypt

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The vectors of the specification, one of openssl passwd -6 and two of glibc.
func TestVectors(t *testing.T) {
	for _, tt := range []struct{ hash, password string }{
		{"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", "Hello world!"},
		{"$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.", "Hello world!"},
		{"$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0", "This is just a test"},
		{"$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1", "a very much longer text to encrypt.  This one even stretches over morethan one line."},
		{"$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0", "we have a short salt string but not a short password"},
		{"$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1", "a short string"},
		{"$6$rounds=10$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.", "the minimum number is still observed"},
		{"$6$u8$PYOCT4ZLchZc7Np1ML8GcSrWDya08E.//LCZl8jQmO6agt7yVgWHqK7XBgs.s008hYh/5nDLZGJP4rWVXn8uo0", "pässwörd ~"},
		{"$6$abc$mJP3a6FyA8uCnzRtlnNypPwjnvpi5TP9qOrInzrfDmwxUQG38PkpCPdqfTb8JQfAngapMxeim4AZ..hSdRRzD.", ""},
		{"$6$abc$ebr9PN1mImulDaxRsxuTpBd5r8nx00.c1FyJ3rAPY1IujyzkHA5rs.HijnsbTpJ/8JLea4Td.ytLd2zfs6jJu0", strings.Repeat("x", 70)},
	} {
		h, err := Parse(tt.hash)
		if err != nil {
			t.Errorf("%s: %v", tt.hash, err)
			continue
		}
		if !h.Matches(tt.password) {
			t.Errorf("%s does not match; sum is %s", tt.hash, sum(tt.password, h.salt, h.rounds))
		}
		if h.Matches(tt.password+"x") || tt.password != "" && h.Matches("") {
			t.Errorf("%s matches what it must not", tt.hash)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			text := fmt.Sprintf(verb, h) + fmt.Sprintf(verb, &h) + fmt.Sprintf(verb, struct{ h []Hash }{[]Hash{h}})
			if strings.Contains(text, h.sum) || strings.Contains(text, h.salt) {
				t.Errorf("the hash is shown by %s: %s", verb, text)
			}
		}
	}
}

func TestParse(t *testing.T) {
	const good = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
	for _, bad := range []string{
		"", "secret", "$6$", "$6$salt", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
		"$6$rounds=$salt$x", "$6$rounds=5000001$" + good[3:], good + "x", good[:90], strings.Replace(good, "svn8", "sv:8", 1),
		"$6$seventeen characters" + good[13:],
	} {
		if h, err := Parse(bad); !errors.Is(err, ErrFormat) || h.Matches("") {
			t.Errorf("%s was read: %v", bad, err)
		}
	}
	if _, err := Parse(good); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1")
	f.Add("$6$rounds=$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if err == nil && (h.rounds < minRounds || h.rounds > maxRounds || len(h.salt) > maxSalt || len(h.sum) != hashLength) {
			t.Errorf("%q: read as %d rounds, salt %q", text, h.rounds, h.salt)
		}
	})
}
