//go:build soak

package integration

// soaking reports whether matrices run with all of their rows.
const soaking = true
