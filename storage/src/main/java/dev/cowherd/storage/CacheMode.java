package dev.cowherd.storage;

import java.util.Locale;

/** How the host caches a file's bytes: the names and meanings of qemu-img's {@code -t} and {@code -T}. */
public enum CacheMode {
    /** Through the page cache; {@link Storage#sync()} makes writes durable. */
    WRITEBACK(false, false, false),
    /** Past the page cache (O_DIRECT); {@link Storage#sync()} makes writes durable. */
    NONE(true, false, false),
    /** Through the page cache; every write is durable when it returns (O_DSYNC). */
    WRITETHROUGH(false, true, false),
    /** Past the page cache; every write is durable when it returns (O_DIRECT and O_DSYNC). */
    DIRECTSYNC(true, true, false),
    /** Through the page cache; {@link Storage#sync()} does nothing, so a power cut may cost everything. */
    UNSAFE(false, false, true);

    private final boolean direct;
    private final boolean durableWrites;
    private final boolean ignoresSync;

    CacheMode(boolean direct, boolean durableWrites, boolean ignoresSync) {
        this.direct = direct;
        this.durableWrites = durableWrites;
        this.ignoresSync = ignoresSync;
    }

    /**
     * Finds the mode by the name that qemu-img gives it.
     *
     * @param name {@code none} (or {@code off}), {@code writeback}, {@code writethrough}, {@code directsync} or
     *     {@code unsafe}
     * @return the mode
     * @throws IllegalArgumentException if there is no such mode; the message is fit for a person
     */
    public static CacheMode parse(String name) {
        return switch (name) {
            case "none", "off" -> NONE;
            case "writeback" -> WRITEBACK;
            case "writethrough" -> WRITETHROUGH;
            case "directsync" -> DIRECTSYNC;
            case "unsafe" -> UNSAFE;
            default -> throw new IllegalArgumentException("Invalid cache option: " + name);
        };
    }

    /**
     * Whether I/O goes past the host's page cache.
     *
     * @return true for {@link #NONE} and {@link #DIRECTSYNC}
     */
    public boolean direct() {
        return direct;
    }

    /**
     * Whether a write is durable when it returns.
     *
     * @return true for {@link #WRITETHROUGH} and {@link #DIRECTSYNC}
     */
    public boolean durableWrites() {
        return durableWrites;
    }

    /**
     * Whether {@link Storage#sync()} does nothing.
     *
     * @return true for {@link #UNSAFE}
     */
    public boolean ignoresSync() {
        return ignoresSync;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
