package dev.cowherd.storage.queue;

/** What the host answered to an operation: the place where a test says otherwise. */
@FunctionalInterface
interface ResultJudge {
    /** The host is believed. */
    ResultJudge HONEST = (kind, offset, result) -> result;

    /** Bytes or minus errno, instead of what the host answered to the part of an operation from an offset on. */
    int judge(HostOperation.Kind kind, long offset, int result);
}
