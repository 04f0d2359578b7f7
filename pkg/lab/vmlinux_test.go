package lab

import "testing"

func TestVmlinuxTry(t *testing.T) {
	for _, n := range []string{"amd64", "amd64-6.12", "cloud-amd64"} {
		k, err := FindKernel(n)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(k.Vmlinux())
	}
}
