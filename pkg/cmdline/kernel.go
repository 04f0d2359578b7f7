package cmdline

// kernelKeys are undotted parameters that the kernel takes itself, so that they cost no place in
// init's environment: those with a value that are in use where machines boot from a network
// (Documentation/admin-guide/kernel-parameters.txt). ip, nfsroot and nfsaddrs are not among them:
// distributions' kernels are built without CONFIG_IP_PNP.
var kernelKeys = map[string]bool{
	"acpi": true, "audit": true, "clocksource": true, "cma": true, "console": true, "crashkernel": true,
	"debug": true, "earlycon": true, "earlyprintk": true, "efi": true, "elevator": true, "hugepages": true,
	"hugepagesz": true, "idle": true, "init": true, "initcall_blacklist": true, "initrd": true, "intel_iommu": true,
	"iommu": true, "isolcpus": true, "log_buf_len": true, "loglevel": true, "lsm": true, "maxcpus": true, "mem": true,
	"memmap": true, "mitigations": true, "module_blacklist": true, "nmi_watchdog": true,
	"nr_cpus": true, "panic": true, "pci": true, "preempt": true, "pti": true,
	"ramdisk_size": true, "rdinit": true, "reboot": true, "root": true, "rootdelay": true, "rootflags": true,
	"rootfstype": true, "rootwait": true, "security": true, "selinux": true, "apparmor": true,
	"spectre_v2": true, "swiotlb": true, "sysrq_always_enabled": true, "transparent_hugepage": true, "tsc": true,
	"video": true,
}

// KernelKnows reports whether the kernel takes a parameter without a dot in its name itself. It is
// for Limits on a machine that has not booted yet: parameters that it does not list count.
func KernelKnows(key string) bool { return kernelKeys[key] }
