//go:build embedinit

package main

import _ "embed"

// packedInit is the init program as initramfs.PackInit packs it, which the Makefile has put there.
//
//go:embed embedded/init.cpio.zst
var packedInit []byte

const initDefault = "the one inside this program"
