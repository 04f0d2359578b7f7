package cmdline

import (
	"fmt"
	"strings"
)

const (
	// MaxLength is the longest command line that x86 keeps, in bytes, without the final NUL.
	//
	//	#define COMMAND_LINE_SIZE 2048   (arch/x86/include/asm/setup.h)
	MaxLength = 2048 - 1

	// MaxEnv is how many unknown undotted key=value words the kernel hands to init's
	// environment beside HOME and TERM; one more and it panics.
	//
	//	#define CONFIG_INIT_ENV_ARG_LIMIT 32   (init/Kconfig, init/main.c)
	MaxEnv = 32 - 2
)

// Limits returns warnings about the kernel's limits that text reaches or exceeds. A line that was
// cut off by the boot loader or the kernel is seen here by its length: what is missing cannot be
// known.
//
// env counts the words that the kernel would put into init's environment; it is more than the
// kernel does where a word belongs to the kernel itself, so the caller passes the keys it knows to
// be the kernel's in known.
func Limits(text string, known func(key string) bool) []string {
	var out []string
	text = strings.TrimRight(text, "\n")
	if len(text) >= MaxLength {
		out = append(out, fmt.Sprintf("command line has %d bytes, the kernel keeps %d: its end is probably cut off", len(text), MaxLength))
	}
	env := 0
	for _, p := range Parse(text).Params {
		dot := strings.IndexByte(p.Key, '.')
		if p.HasValue && dot < 0 && (known == nil || !known(p.Key)) {
			env++
		}
	}
	if env > MaxEnv {
		out = append(out, fmt.Sprintf("command line has %d undotted key=value words that the kernel does not know, it panics above %d: use the dotted names", env, MaxEnv))
	}
	return out
}
