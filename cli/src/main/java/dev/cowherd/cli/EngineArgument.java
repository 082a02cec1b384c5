package dev.cowherd.cli;

import dev.cowherd.image.Engine;

/** {@code --engine}: which engine moves the bytes. */
final class EngineArgument {
    private EngineArgument() {}

    static Engine parse(String name) throws CommandException {
        return switch (name) {
            case "auto" -> Engine.AUTO;
            case "sync" -> Engine.SYNC;
            case "ring" -> Engine.RING;
            default -> throw new CommandException("Invalid engine '" + name + "': auto, sync or ring");
        };
    }
}
