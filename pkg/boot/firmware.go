package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// parse makes the plan. Its error names both what is missing and what is wrong.
func parse(line cmdline.Line) (bootspec.Plan, error) {
	sys := os.DirFS("/sys")
	table, odd := firmware(sys, nil)
	plan, err := bootspec.ParseWith(line, table)
	if plan.UsesIBFT() {
		if table, odd = lowFirmware(sys, line); table != nil {
			plan, err = bootspec.ParseWith(line, table)
		}
	}
	plan.UUID, plan.MACNames = machineUUID("/sys/class/dmi/id"), true
	if err == nil {
		err = plan.Check()
	}
	plan.Warnings = append(plan.Warnings, odd...)
	var unread error
	plan.Credentials, unread = readCredentials(bootspec.CredentialsPath, 0)
	return plan, errors.Join(err, unread)
}

// machineUUID reads the UUID of the machine's SMBIOS as iPXE writes it, "" if it has none. dir is
// the directory of the SMBIOS in sysfs.
func machineUUID(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "product_uuid")) // empty without it
	return strings.ToLower(strings.TrimSpace(string(text)))
}

// firmware returns the iBFT of sysfs or of memory, nil if there is none or it cannot be read. The
// warnings name the error, and each part of the table that is left out.
func firmware(sys fs.FS, memory io.ReaderAt) (*ibft.Table, []string) {
	table, from, err := ibft.Find(sys, memory)
	if errors.Is(err, ibft.ErrNone) {
		return nil, nil
	}
	odd, err := ibft.Usable(err)
	if err != nil {
		return nil, []string{fmt.Sprintf("%s: %v", cmp.Or(from, "the firmware's table"), err)}
	}
	for i := range odd {
		odd[i] = from + ": " + odd[i]
	}
	return &table, odd
}

// driverPatience is for how long the driver of the iBFT may take.
const driverPatience = 10 * time.Second

// lowFirmware looks for a table that is in low memory only, as those of iPXE and of most BIOSes
// are. Which pages there belong to the kernel, and read as zeros, varies (arch/x86/mm/init.c:
// devmem_is_allowed), so the kernel's driver is used first, which found the table early.
func lowFirmware(sys fs.FS, line cmdline.Line) (*ibft.Table, []string) {
	if runtime.GOARCH != "amd64" {
		return firmware(sys, nil) // there is no such memory
	}
	if release, err := modload.Release(); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), driverPatience)
		defer cancel()
		if loader, _, err := modload.Open("/", release, bootspec.ParseModules(line), nil); err == nil {
			_ = loader.Load(ctx, "iscsi_ibft") // without the driver the memory itself is read
		}
	}
	memory, err := os.Open("/dev/mem")
	if err != nil {
		return firmware(sys, nil)
	}
	defer func() { _ = memory.Close() }()
	return firmware(sys, memory)
}
