"""Cycles materials: a short way to write shader graphs, and the few materials that everything is made of.

Colours are linear RGB triples. Two savings matter on a CPU: rays that do not come straight from the camera see a plain
diffuse colour (`cheap`), and clear plastic is transparency plus a Fresnel highlight plus haze, never refraction.
"""

import bpy
import numpy as np


class Graph:
    """One material and its node graph; every method returns an output socket to plug into the next."""

    def __init__(self, name):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.surface = self.tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"]

    def node(self, kind, output=0, settings=None, **inputs):
        """Add node `ShaderNode<kind>`; inputs by name with _ for a blank (Base_Color=...) or by index (i0=...)."""
        node = self.tree.nodes.new("ShaderNode" + kind)
        for key, value in (settings or {}).items():
            setattr(node, key, value)
        for key, value in inputs.items():
            by_index = key[0] == "i" and key[1:].isdigit()
            self.plug(node.inputs[int(key[1:])] if by_index else node.inputs[key.replace("_", " ")], value)
        return node.outputs[output]

    def plug(self, socket, value):
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, (tuple, list)) and len(value) == 3 and socket.type == "RGBA":
            socket.default_value = (*value, 1)
        else:
            socket.default_value = value

    def coordinates(self, kind="Object"):
        return self.node("TexCoord", output=kind)

    def noise(self, scale, detail=3, roughness=0.5):
        """Fractal noise about 0.5; `scale` in cycles per metre."""
        return self.node("TexNoise", Scale=scale, Detail=detail, Roughness=roughness, Vector=self.coordinates())

    def ramp(self, factor, stops):
        """Piecewise linear colour of a factor; stops: [(position, colour), ...]."""
        node = self.tree.nodes.new("ShaderNodeValToRGB")
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position = position
            element.color = (*colour, 1)
        self.tree.links.new(factor, node.inputs[0])
        return node.outputs[0]

    def mix(self, factor, first, second):
        return self.node("MixRGB", Fac=factor, Color1=first, Color2=second)

    def math(self, operation, a, b=0.0):
        return self.node("Math", settings={"operation": operation}, i0=a, i1=b)

    def bump(self, height, distance, strength=1.0):
        """Normal disturbed by a height socket; distance in metres."""
        return self.node("Bump", Height=height, Distance=distance, Strength=strength)

    def principled(self, **inputs):
        return self.node("BsdfPrincipled", **inputs)

    def image(self, picture, vector=None, repeat=False):
        """Texture node of an (H, W, 4) uint8 array -> (colour socket, alpha socket)."""
        node = self.tree.nodes.new("ShaderNodeTexImage")
        node.image = blender_image(self.material.name, picture)
        node.extension = "REPEAT" if repeat else "CLIP"
        if vector is not None:
            self.tree.links.new(vector, node.inputs[0])
        return node.outputs[0], node.outputs[1]

    def label(self, picture, base, u_range, v_range):
        """Print a picture with alpha into a rectangle of texture space over a base colour -> (colour, alpha)."""
        (u0, u1), (v0, v1) = u_range, v_range
        place = self.node(
            "Mapping",
            Vector=self.coordinates("UV"),
            Location=(-u0 / (u1 - u0), -v0 / (v1 - v0), 0),
            Scale=(1 / (u1 - u0), 1 / (v1 - v0), 1),
        )
        colour, alpha = self.image(picture, place)
        return self.mix(alpha, base, colour), alpha

    def finish(self, shader, cheap=None):
        """Plug the shader in; `cheap`: colour of the plain diffuse surface that all but camera rays see."""
        if cheap is not None:
            from_camera = self.node("LightPath", output="Is Camera Ray")
            shader = self.node("MixShader", i0=from_camera, i1=self.node("BsdfDiffuse", Color=cheap), i2=shader)
        self.tree.links.new(shader, self.surface)
        return self.material


def blender_image(name, picture):
    """(H, W, 4) uint8 sRGB array, first row on top -> Blender image (which stores the bottom row first)."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True)
    image.pixels.foreach_set((picture[::-1].astype(np.float32) / 255).ravel())
    image.update()
    return image


def plastic(name, colour, roughness=0.4, bump=0.00004, subsurface=0.0, bump_scale=900, smudge=0.12):
    """Opaque plastic or paint whose gloss varies as on a touched surface; bump in metres, bump_scale in cycles/m."""
    g = Graph(name)
    rough = g.node(
        "MapRange",
        Value=g.noise(9, 4),
        From_Min=0.3,
        From_Max=0.7,
        To_Min=max(0.03, roughness - smudge),
        To_Max=roughness + smudge,
    )
    return g.finish(
        g.principled(
            Base_Color=colour,
            Roughness=rough,
            Normal=g.bump(g.noise(bump_scale, 2), bump),
            Subsurface_Weight=subsurface,
            Subsurface_Radius=(0.6, 0.4, 0.3),
            Subsurface_Scale=0.01,
        ),
        cheap=colour,
    )


def metal(name, colour, roughness=0.35):
    g = Graph(name)
    return g.finish(g.principled(Base_Color=colour, Metallic=0.9, Roughness=roughness))


def clear(name, tint=(0.97, 0.985, 0.97), gloss=0.06, haze=0.05, edge=0.55, wrinkle=0.0, roughness=0.04):
    """Thin clear plastic or glass without refraction: quiet at few samples, because no ray is bent."""
    g = Graph(name)
    normal = {"Normal": g.bump(g.noise(45, 4, 0.6), wrinkle)} if wrinkle else {}
    facing = g.node("LayerWeight", output=1, Blend=0.35, **normal)
    shine = g.node("MapRange", Value=g.math("POWER", facing, 2.2), To_Min=gloss, To_Max=edge)
    body = g.node(
        "MixShader",
        i0=shine,
        i1=g.node("BsdfTransparent", Color=tint),
        i2=g.node("BsdfGlossy", Color=(1, 1, 1), Roughness=roughness, **normal),
    )
    milk = g.node("MapRange", Value=g.math("POWER", facing, 1.5), To_Min=haze * 0.5, To_Max=min(1, haze * 4))
    seen = g.node("MixShader", i0=milk, i1=body, i2=g.node("BsdfDiffuse", Color=(0.8, 0.8, 0.78)))
    passed = g.node("BsdfTransparent", Color=tuple(min(1, t * 0.985) for t in tint))
    from_camera = g.node("LightPath", output="Is Camera Ray")
    return g.finish(g.node("MixShader", i0=from_camera, i1=passed, i2=seen))


def paper(name, picture, roughness=0.5, cut_out=False, bump=0.00003):
    """Printed surface filling the texture square; cut_out: transparent where the picture's alpha is 0."""
    g = Graph(name)
    colour, alpha = g.image(picture)
    shader = g.principled(Base_Color=colour, Roughness=roughness, Normal=g.bump(g.noise(500, 3), bump))
    if cut_out:
        shader = g.node("MixShader", i0=alpha, i1=g.node("BsdfTransparent"), i2=shader)
    return g.finish(shader)


def see_through(thing):
    """Mark a clear part of the refrigerator: masks ignore it, light and shadow rays skip it (30 % faster)."""
    thing["see_through"] = True
    thing.visible_shadow = thing.visible_diffuse = False
    return thing
