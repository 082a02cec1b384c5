package dev.cowherd.storage.ring;

import dev.cowherd.storage.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The kernel, or something that stands before it, gives no ring. The message is one line that says why, fit for a person; whoever
 * can do without a ring goes on without.
 */
public final class RingRefusedException extends IOException {
    private static final long serialVersionUID = 1L;
    private static final Path SWITCH = Path.of("/proc/sys/kernel/io_uring_disabled");

    /** Why there is no ring. */
    public enum Reason {
        /** The kernel has no io_uring, or what sits before it says so. */
        MISSING,
        /** The kernel has io_uring, but one that lacks what is needed here. */
        TOO_OLD,
        /** The administrator switched it off. */
        SWITCHED_OFF,
        /** A sandbox or a security module refuses the call. */
        SANDBOX,
        /** Descriptors, memory or the limit of locked memory are used up. */
        RESOURCES,
        /** Something else, named by errno. */
        OTHER
    }

    private final transient Reason reason;
    private final transient int errno;

    RingRefusedException(Reason reason, int errno, String why) {
        super("io_uring is not available: " + why);
        this.reason = reason;
        this.errno = errno;
    }

    /** Puts what a call of io_uring answered in words. */
    static RingRefusedException of(String call, int errno) {
        return of(call, errno, SWITCH);
    }

    /** The same with the administrator's switch at another place, for tests. */
    static RingRefusedException of(String call, int errno, Path adminSwitch) {
        if (errno == Errno.ENOSYS.number()) {
            return new RingRefusedException(Reason.MISSING, errno, "this kernel or sandbox has none (ENOSYS)");
        }
        if (errno == Errno.EPERM.number() || errno == Errno.EACCES.number()) {
            return switch (readSwitch(adminSwitch)) {
                case "2" ->
                    new RingRefusedException(
                            Reason.SWITCHED_OFF, errno, "switched off by the sysctl kernel.io_uring_disabled = 2");
                case "1" ->
                    new RingRefusedException(
                            Reason.SWITCHED_OFF,
                            errno,
                            "the sysctl kernel.io_uring_disabled = 1 allows it to kernel.io_uring_group only");
                default ->
                    new RingRefusedException(
                            Reason.SANDBOX, errno, "a sandbox (seccomp) or security policy refuses " + call);
            };
        }
        String words = call + ": " + Errno.describe(errno);
        if (errno == Errno.EMFILE.number() || errno == Errno.ENFILE.number()) {
            return new RingRefusedException(Reason.RESOURCES, errno, words);
        }
        if (errno == Errno.ENOMEM.number()) {
            return new RingRefusedException(
                    Reason.RESOURCES, errno, words + "; the limit of locked memory (ulimit -l) may be too low");
        }
        return new RingRefusedException(Reason.OTHER, errno, words);
    }

    private static String readSwitch(Path adminSwitch) {
        try {
            return Files.readString(adminSwitch).strip();
        } catch (IOException e) {
            // Kernels before 6.6 have no such switch.
            return "0";
        }
    }

    /**
     * Why there is no ring.
     *
     * @return the kind of reason
     */
    public Reason reason() {
        return reason;
    }

    /**
     * The host's error number.
     *
     * @return errno, or 0 if no call failed
     */
    public int errno() {
        return errno;
    }
}
