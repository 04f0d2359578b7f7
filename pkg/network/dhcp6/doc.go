// Package dhcp6 is a client of the routers and the DHCPv6 servers of a link (RFC 4861, RFC 8415).
// [Solicit] returns what a router advertises, above all whether there is a DHCPv6 server; [Acquire]
// gets an address from a server, and [Inform] only other configuration. [WaitAddress] waits until
// duplicate address detection is done with an address. The kernel makes its own addresses of what
// routers advertise; nothing here configures anything.
//
// The codec is implemented here: that of insomniacslk/dhcp adds 0.27 MiB to init, three times as
// much as that of DHCPv4, for options that no boot needs.
package dhcp6
