package rundir

import (
	"errors"
	"path/filepath"
	"syscall"
	"time"
)

// errSharing is ERROR_SHARING_VIOLATION of the Windows API.
const errSharing = syscall.Errno(32)

// Lock takes the run directory for this process by opening a file that nobody
// else may open meanwhile. Windows closes it when the process ends.
func Lock(dir string) (release func() error, err error) {
	name, err := syscall.UTF16PtrFromString(filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_HIDDEN, 0)
	for try := 0; try < lockTries && errors.Is(err, errSharing); try++ { // see lock_unix.go
		time.Sleep(lockPause)
		h, err = syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_HIDDEN, 0)
	}
	if errors.Is(err, errSharing) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return func() error { return syscall.CloseHandle(h) }, nil
}
