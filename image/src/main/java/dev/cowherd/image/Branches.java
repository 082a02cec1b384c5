package dev.cowherd.image;

import dev.cowherd.storage.fiber.FiberLoop;

/**
 * Fibers beside those of a queue's requests, for requests that have several things to wait for at once. Bounded for the whole queue, so that
 * a request of thousands of pieces takes no more memory than one of a few. For the loop's thread alone.
 */
final class Branches {
    /** Of one request: what a device has use for. */
    static final int MOST_OF_A_REQUEST = 16;
    /** Of a queue, so that one long request leaves some to others; a request gets on without. */
    static final int MOST = 32;

    private final FiberLoop loop;
    private int underWay;

    Branches(FiberLoop loop) {
        this.loop = loop;
    }

    /**
     * Has work done on a fiber of its own, which begins once the caller has left its own.
     *
     * @param work must not throw
     * @return false if there are as many already: the caller does it then
     */
    boolean begin(Runnable work) {
        if (underWay == MOST) {
            return false;
        }
        underWay++;
        loop.begin(() -> {
            work.run();
            underWay--;
        });
        return true;
    }
}
