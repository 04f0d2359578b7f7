//go:build soak

package integration

// soaking tells whether matrices run with all of their rows.
const soaking = true
