package iscsi

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseNumber reads a numerical value: decimal without a leading zero, or hex after 0x (RFC 7143
// 6.1).
func parseNumber(s string) (uint64, error) {
	digits, base := s, 10
	if h, ok := cutPrefixFold(s, "0x"); ok {
		digits, base = h, 16
	} else if len(s) > 1 && s[0] == '0' {
		return 0, errors.New("a decimal number with a leading zero")
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("a number of more than 64 bits")
	case err != nil:
		return 0, errors.New("not a number")
	}
	return n, nil
}

// DecodeBinary reads a binary value of at most limit bytes: hex digits after 0x, or base64 after
// 0b, letters of the prefix and of hex in either case (RFC 7143 6.1). An odd number of hex digits
// has a leading zero left out. Its errors never contain the value, which may be a secret.
func DecodeBinary(s string, limit int) ([]byte, error) {
	var (
		b   []byte
		err error
	)
	if digits, ok := cutPrefixFold(s, "0x"); ok {
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		if len(digits)/2 > limit {
			return nil, fmt.Errorf("binary value of %d bytes, limit %d", len(digits)/2, limit)
		}
		b, err = hex.DecodeString(digits)
	} else if text, ok := cutPrefixFold(s, "0b"); ok {
		if base64.StdEncoding.DecodedLen(len(text)) > limit+2 {
			return nil, fmt.Errorf("binary value of %d base64 digits, limit %d bytes", len(text), limit)
		}
		// The decoder of the standard library skips line breaks.
		if strings.ContainsAny(text, "\r\n") {
			return nil, errors.New("binary value is not valid base64")
		}
		b, err = base64.StdEncoding.Strict().DecodeString(text)
	} else {
		return nil, errors.New("binary value begins with neither 0x nor 0b")
	}
	switch {
	case err != nil:
		return nil, errors.New("binary value has a digit that does not belong there")
	case len(b) == 0:
		return nil, errors.New("binary value is empty")
	case len(b) > limit:
		return nil, fmt.Errorf("binary value of %d bytes, limit %d", len(b), limit)
	}
	return b, nil
}

// EncodeBinary writes b as a binary value in hex, the form that every target supports.
func EncodeBinary(b []byte) string { return "0x" + hex.EncodeToString(b) }

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
