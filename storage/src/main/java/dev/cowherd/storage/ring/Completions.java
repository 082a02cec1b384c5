package dev.cowherd.storage.ring;

/** Takes the completions of a ring, one call each, on the ring's thread. It may prepare further requests. */
@FunctionalInterface
public interface Completions {
    /** There will be further completions of the same request: a flag. */
    int MORE = Uapi.CQE_F_MORE;

    /**
     * One request has completed.
     *
     * @param token what the caller gave with the request
     * @param result what the system call of that name would have answered: bytes, a descriptor, or minus errno
     * @param flags the kernel's flags of the completion, {@link #MORE} among them
     */
    void completed(long token, int result, int flags);
}
