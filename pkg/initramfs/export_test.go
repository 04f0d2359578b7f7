package initramfs

import (
	"context"
	"io"
)

// Write writes the image that cfg describes to w, which Build does into a file.
func Write(ctx context.Context, w io.Writer, cfg Config) (Summary, error) {
	img, err := prepare(ctx, cfg)
	if err != nil {
		return Summary{}, err
	}
	return img.write(ctx, w)
}
