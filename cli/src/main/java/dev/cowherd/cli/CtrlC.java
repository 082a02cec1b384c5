package dev.cowherd.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a long command clean up when the user presses Ctrl-C (or a signal asks the process to end): the command is told, ends
 * its work as after a failure, and {@link Main} ends the process.
 */
final class CtrlC implements AutoCloseable {
    /** What a shell sees of a process that ended by Ctrl-C. */
    static final int EXIT_CODE = 130;

    private static final long PATIENCE_SECONDS = 60;

    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread hook;
    private volatile boolean pressed;

    /**
     * Watches until closed.
     *
     * @param cancel told once, on a thread of its own; must not block
     */
    CtrlC(Runnable cancel) {
        this.hook = new Thread(() -> press(cancel), "ctrl-c");
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Whether the user asked for the end. */
    boolean pressed() {
        return pressed;
    }

    private void press(Runnable cancel) {
        pressed = true;
        cancel.run();
        try {
            // The process must not end before the command has cleaned up; Main ends it when it has, long before this
            // does.
            if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                System.err.println("cowherd: the command did not clean up in time");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        if (pressed) {
            return;
        }
        ended.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process is ending already; the hook finds the latch open.
            pressed = true;
        }
    }
}
