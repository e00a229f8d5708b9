"""Protects the readers of annotation tools' own formats (LabelMe, Label Studio, CVAT, VoTT, VOC's relatives): hand-made
files with every kind of shape, and the boxes that they mean, worked out by hand. Every image is 100 x 80 pixels.
"""

import pytest
from annotation_files import imported

# --- LabelMe ---------------------------------------------------------------------------------------------------------


def test_labelme_shapes(tmp_path):
    def shape(kind, *points, label="cup"):
        return {"label": label, "points": [list(point) for point in points], "shape_type": kind}

    shapes = [
        shape("rectangle", (40, 60), (10, 20)),  # drawn from the lower right
        shape("polygon", (10, 10), (30.5, 12), (20, 40)),
        shape("circle", (50, 40), (53, 44)),  # radius 5
        shape("mask", (10, 20), (19, 29)),  # 10 x 10 pixels
        {"label": "old", "points": [[1, 2], [3, 4], [5, 3]]},
    ]
    content = {"shapes": shapes, "imagePath": "..\\photos\\a.jpg", "imageHeight": 80, "imageWidth": 100}
    found, notes, _ = imported(tmp_path, "labelme", {"json/a.json": content, "json/c.json": {}}, ("photos/a.jpg",))
    assert found["a.jpg"] == [
        ("cup", 10, 20, 40, 60), ("cup", 10, 10, 30.5, 40), ("cup", 45, 35, 55, 45), ("cup", 10, 20, 20, 30),
        ("old", 1, 2, 5, 4),
    ]  # fmt: skip
    assert "c.json: left out: is not LabelMe" in notes


# --- Label Studio ----------------------------------------------------------------------------------------------------


def result(kind="rectanglelabels", number=0, **value):
    return {
        "id": f"r{number}", "type": kind, "original_width": 100, "original_height": 80, "image_rotation": 0,
        "value": value,
    }  # fmt: skip


def test_label_studio_shapes(tmp_path):
    results = [
        result(x=10, y=25, width=30, height=50, rotation=0, rectanglelabels=["cup"]),  # (10, 20, 40, 60)
        # 10 x 20 pixels from (50, 40), turned by a quarter around that corner: from x = 50 - 20 to 50, y = 40 to 50
        result(number=1, x=50, y=50, width=10, height=25, rotation=90, rectanglelabels=["cup"]),
        result("polygonlabels", 2, points=[[10, 10], [20, 50], [15, 60]], polygonlabels=["pan"]),
        result("ellipselabels", 3, x=50, y=50, radiusX=10, radiusY=10, rotation=0, ellipselabels=["pan"]),
        result("ellipselabels", 4, x=50, y=50, radiusX=10, radiusY=25, rotation=90, ellipselabels=["pan"]),
        result("rectangle", 5, x=0, y=0, width=10, height=10),  # the class comes in a result of its own
        result("labels", 5, x=0, y=0, width=10, height=10, labels=["pot"]),
        result("choices", 5, x=0, y=0, width=10, height=10, choices=["red"]),  # of the region, not of the image
        result("textarea", 7, text=["sharp"]),
    ]
    tasks = [
        {"data": {"image": "/data/upload/1/0a1b2c3d-a.jpg"},
         "annotations": [{"was_cancelled": True, "result": []}, {"result": results}]},
        {"data": {"image": "/data/local-files/?d=some%20where/b%20b.jpg"}, "annotations": [{"result": []}]},
        {"data": {"image": "https://example.com/x/c.jpg?size=1"}, "annotations": []},
    ]  # fmt: skip
    found, notes, parts = imported(tmp_path, "labelstudio", {"x.json": tasks}, ("a.jpg", "b b.jpg", "c.jpg"))
    assert found["a.jpg"] == [
        ("cup", 10, 20, 40, 60), ("cup", 30, 40, 50, 50), ("pan", 10, 8, 20, 48), ("pan", 40, 32, 60, 48),
        ("pan", 30, 30, 70, 50), ("pot", 0, 0, 10, 8),
    ]  # fmt: skip
    assert parts["b b.jpg"] == "negative" and "c.jpg" not in found
    assert "task 2: left out: was not annotated" in notes


def test_label_studio_min(tmp_path):
    box = {"x": 10, "y": 25, "width": 30, "height": 50, "rectanglelabels": ["cup"], "original_width": 100}
    tasks = [{"image": "/data/upload/a.jpg", "id": 1, "annotator": 1, "annotation_id": 2, "label": [box]}]
    assert imported(tmp_path, "labelstudio", {"x.json": tasks})[0] == {"a.jpg": [("cup", 10, 20, 40, 60)]}


# --- CVAT ------------------------------------------------------------------------------------------------------------


def test_cvat_shapes(tmp_path):
    shapes = """
    <box label="cup" xtl="10.50" ytl="20" xbr="40" ybr="60" occluded="0"><attribute name="color">red</attribute></box>
    <box label="cup" xtl="40" ytl="30" xbr="60" ybr="50" rotation="45.00"/>
    <polygon label="pan" points="10.00,10.00;20.50,50.00;15.00,60.00"/>
    <ellipse label="pan" cx="50" cy="40" rx="10" ry="5" rotation="90"/>
    <mask label="pan" rle="3, 4" left="10" top="20" width="30" height="40"/>
    <cuboid label="pan" xtl1="10" ytl1="20" xbl1="10" ybl1="50" xtr1="30" ytr1="18" xbr1="30" ybr1="52" xtl2="50"
     ytl2="20"     xbl2="50" ybl2="40" xtr2="40" ytr2="20" xbr2="40" ybr2="40"/>
    <skeleton label="cat"><points label="1" outside="0" points="10,10"/><points label="2" outside="0" points="30,50"/>
     <points label="3" outside="1" points="90,70"/></skeleton>"""
    text = (
        f'<annotations><version>1.1</version><image id="0" name="set/a.jpg" width="100" height="80">{shapes}</image>'
        '<image id="1" name="b.jpg" width="100" height="80"/><image id="2" width="1"/></annotations>'
    )
    found, notes, parts = imported(tmp_path, "cvat", {"x.xml": text}, ("set/a.jpg", "b.jpg"))
    half = 200**0.5  # of the diagonal of 20 x 20
    turned = ("cup", *(round(value, 4) for value in (50 - half, 40 - half, 50 + half, 40 + half)))
    assert found["a.jpg"] == [
        ("cup", 10.5, 20, 40, 60), pytest.approx(turned), ("pan", 10, 10, 20.5, 60), ("pan", 45, 30, 55, 50),
        ("pan", 10, 20, 40, 60), ("pan", 10, 18, 50, 52), ("cat", 10, 10, 30, 50),
    ]  # fmt: skip
    assert parts["b.jpg"] == "negative"
    assert "has no name" in notes


def test_cvat_video_is_refused(tmp_path):
    with pytest.raises(Exception, match="has tracks of a video"):
        imported(tmp_path, "cvat", {"x.xml": "<annotations><track/></annotations>"})


# --- VoTT ------------------------------------------------------------------------------------------------------------


def vott_asset(name, *boxes, state=2):
    regions = [
        {"tags": list(tags), "boundingBox": {"left": x, "top": y, "width": w, "height": h}}
        for tags, x, y, w, h in boxes
    ]
    return {"asset": {"name": name, "state": state, "size": {"width": 100, "height": 80}}, "regions": regions}


def test_vott_json_of_projects_and_assets(tmp_path):
    asset = vott_asset("a%20b.jpg", (("cup", "red"), 10.5, 20, 30, 40), ((), 0, 0, 5, 5))
    project = {"assets": {"1": asset, "2": vott_asset("c.jpg", state=1), "3": vott_asset("d.jpg", state=0)}}
    wanted = [("cup", 10.5, 20, 40.5, 60), ("red", 10.5, 20, 40.5, 60), ("UNDECIDED", 0, 0, 5, 5)]
    images = ("a b.jpg", "c.jpg", "d.jpg")
    texts = {"export.json": project, "1-asset.json": asset}
    found, notes, parts = imported(tmp_path / "1", "vott", texts, images)
    assert found == {"a b.jpg": wanted, "c.jpg": []} and parts["c.jpg"] == "negative"
    assert 'asset "3": left out: was never looked at' in notes
    assert imported(tmp_path / "2", "vott", {"1-asset.json": asset}, images)[0] == {"a b.jpg": wanted}


def test_vott_csv(tmp_path):
    text = '"image","xmin","ymin","xmax","ymax","label"\n"a.jpg",10.5,20.25,40,60,"cup"\n'
    assert imported(tmp_path, "vottcsv", {"e.csv": text})[0] == {"a.jpg": [("cup", 10.5, 20.25, 40, 60)]}


def test_vott_cntk_exports_keep_their_parts(tmp_path):
    texts = {
        "positive/a.bboxes.tsv": "10\t20\t40\t60\n", "positive/a.bboxes.labels.tsv": "cup\n",
        # version 2 names its files with the suffix and writes x1, x2, y1, y2
        "testImages/b.jpg.bboxes.tsv": "10\t40\t20\t60\r\n", "testImages/b.jpg.bboxes.labels.tsv": "cup\r\n",
        "testImages/d.bboxes.tsv": "1\t2\t3\t4\n5\t6\t7\t8\n", "testImages/d.bboxes.labels.tsv": "cup\n",
    }  # fmt: skip
    for name in ("negative/f", "positive/lost"):
        texts |= {f"{name}.bboxes.tsv": "1\t2\t3\t4\n", f"{name}.bboxes.labels.tsv": "cup\n"}
    images = ("positive/a.jpg", "testImages/b.jpg", "negative/c.jpg", "testImages/d.jpg", "other/e.jpg")
    images += ("negative/f.jpg",)
    found, notes, parts = imported(tmp_path, "vott1", texts, images)
    assert found == {"a.jpg": [("cup", 10, 20, 40, 60)], "b.jpg": [("cup", 10, 20, 40, 60)], "c.jpg": []}
    assert parts == {"a.jpg": "positive", "b.jpg": "testImages", "c.jpg": "negative"}
    assert "1 labels in d.bboxes.labels.tsv for 2 boxes" in notes and "e.jpg: left out: lies in no folder" in notes
    assert "f.jpg: left out: has 1 boxes, but lies in negative" in notes
    assert "lost.bboxes.tsv: left out: has no image" in notes


# --- VOC's relatives -------------------------------------------------------------------------------------------------


def test_voc_parts_polygons_and_turned_boxes(tmp_path):
    objects = """
    <object><name>person</name><part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax>
     </bndbox></part><bndbox><xmin>11.5</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
    <object><name>pan</name><polygon><x1>11</x1><y1>21</y1><x2>40</x2><y2>30</y2><x3>20</x3><y3>60</y3></polygon></object>
    <object><name>pan</name><robndbox><cx>51</cx><cy>41</cy><w>20</w><h>10</h><angle>1.5707963267948966</angle></robndbox>
    </object>"""
    objects += "<object><name>pan</name><deleted>1</deleted><polygon/></object>"  # LabelMe's old web page
    text = f"<annotation><filename>other.png</filename>{objects}</annotation>"
    found, _, _ = imported(tmp_path, "voc", {"Annotations/a.xml": text}, ("JPEGImages/a.jpg", "JPEGImages/other.png"))
    assert found == {
        "a.jpg": [("person", 10.5, 20, 40, 60), ("pan", 10, 20, 40, 60), ("pan", 45, 30, 56, 51)],
    }  # fmt: skip
