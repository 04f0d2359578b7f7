// Package disks keeps the settings of the sessions' disks in the running system, for the agent
// (package recovery/agent):
//
//   - A disk that is not a path of a multipath map, and whose data no mirror has
//     elsewhere at this moment, retries its commands without a limit. SCSI allows each command five retries, and each loss of the
//     connection takes one (drivers/scsi/scsi_error.c: scsi_decide_disposition,
//     DID_TRANSPORT_DISRUPTED), whatever recovery_tmo is: six losses within one
//     command's life would be an I/O error.
//   - Such a disk fails no command any more, so one that answers with errors only
//     is reported.
//   - multipathd shortens recovery_tmo of disks that it may never use. That is
//     restored.
package disks
